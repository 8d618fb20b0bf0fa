package queue

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// BootID tells one boot of a machine from the next; "" if the system does not say.
func BootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// networkFS names the file system that holds dir if its locks and memory maps cannot be trusted across hosts, by the
// magic number of statfs(2); "" for others. The write-ahead log needs shared memory, which those do not give
// (sqlite.org/wal.html).
func networkFS(dir string) (string, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "", fmt.Errorf("asking for the file system of %q: %w", dir, err)
	}
	switch uint32(st.Type) {
	case 0x6969:
		return "NFS", nil
	case 0xff534d42, 0xfe534d42, 0x517b:
		return "CIFS", nil
	case 0x0bd00bd0:
		return "Lustre", nil
	case 0x47504653:
		return "GPFS", nil
	case 0x19830326:
		return "BeeGFS", nil
	case 0x65735546:
		return "FUSE", nil
	case 0x01021997:
		return "9P", nil
	case 0x5346414f:
		return "AFS", nil
	case 0x00c36400:
		return "Ceph", nil
	case 0xaad7aaea:
		return "PanFS", nil
	}
	return "", nil
}
