package durable

import (
	"math"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Of quotactl(2) and linux/quota.h, which x/sys does not have.
const (
	getUserQuota = 0x800007 << 8 // QCMD(Q_GETQUOTA, USRQUOTA)
	quotaBlock   = 1 << 10       // limits are in blocks of 1 KiB, use is in bytes
	quotaValid   = 1 | 2 | 4 | 8 // QIF_BLIMITS, QIF_SPACE, QIF_ILIMITS, QIF_INODES
)

// diskQuota is struct if_dqblk.
type diskQuota struct {
	blocksHard, blocksSoft, space uint64
	inodesHard, inodesSoft, count uint64
	blocksTime, inodesTime        uint64
	valid                         uint32
	_                             uint32
}

// Quota returns what the user of this process may still take on the file system that holds dir by his quota: bytes and
// inodes, math.MaxUint64 for what has no limit. ok is false where no quota is in force or it cannot be read: on Linux before
// 5.14, other systems, and network file systems, whose quotas their servers keep.
func Quota(dir string) (bytes, inodes uint64, ok bool) {
	d, err := os.Open(dir)
	if err != nil {
		return 0, 0, false
	}
	defer d.Close() // only a handle
	var q diskQuota
	_, _, errno := unix.Syscall6(unix.SYS_QUOTACTL_FD, d.Fd(), getUserQuota, uintptr(os.Getuid()), uintptr(unsafe.Pointer(&q)), 0, 0)
	if errno != 0 || q.valid&quotaValid != quotaValid {
		return 0, 0, false
	}
	bytes = quotaLeft(q.blocksHard*quotaBlock, q.blocksSoft*quotaBlock, q.space)
	inodes = quotaLeft(q.inodesHard, q.inodesSoft, q.count)
	return bytes, inodes, bytes != math.MaxUint64 || inodes != math.MaxUint64
}

// quotaLeft is what a limit leaves. The hard one counts; a soft one alone becomes hard when its time is over.
func quotaLeft(hard, soft, used uint64) uint64 {
	if hard == 0 {
		hard = soft
	}
	switch {
	case hard == 0:
		return math.MaxUint64
	case used >= hard:
		return 0
	}
	return hard - used
}
