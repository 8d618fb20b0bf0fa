package durable

import (
	"math"
	"testing"
	"unsafe"
)

func TestQuotaLeft(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ hard, soft, used, want uint64 }{
		{0, 0, 7, math.MaxUint64}, {10, 0, 7, 3}, {10, 5, 7, 3}, {0, 10, 7, 3}, {10, 0, 10, 0}, {10, 0, 11, 0},
	} {
		if got := quotaLeft(tt.hard, tt.soft, tt.used); got != tt.want {
			t.Errorf("quotaLeft(%d, %d, %d) = %d, want %d", tt.hard, tt.soft, tt.used, got, tt.want)
		}
	}
	if n := unsafe.Sizeof(diskQuota{}); n != 72 { // of struct if_dqblk on every 64-bit system
		t.Errorf("a quota has %d bytes, want 72", n)
	}
	if _, _, ok := Quota(t.TempDir() + "/none"); ok {
		t.Error("a directory that is not there has a quota")
	}
}
