package durable

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// kind reads the magic number of statfs(2). Those of the cluster file systems are not in the kernel's headers:
// Lustre, GPFS and BeeGFS are as their own sources define them.
func kind(st *unix.Statfs_t) (name string, network bool) {
	magic := uint32(st.Type)
	switch magic {
	case 0x6969:
		return "nfs", true
	case 0xff534d42:
		return "cifs", true
	case 0xfe534d42:
		return "smb2", true
	case 0x517b:
		return "smb", true
	case 0x0bd00bd0:
		return "lustre", true
	case 0x47504653:
		return "gpfs", true
	case 0x19830326:
		return "beegfs", true
	case 0x65735546:
		return "fuse", true
	case 0x01021997:
		return "9p", true
	case 0x5346414f:
		return "afs", true
	case 0x00c36400:
		return "ceph", true
	case 0xaad7aaea:
		return "panfs", true
	case 0xef53:
		return "ext4", false
	case 0x58465342:
		return "xfs", false
	case 0x9123683e:
		return "btrfs", false
	case 0x2fc12fc1:
		return "zfs", false
	case 0x01021994:
		return "tmpfs", false
	case 0x794c7630:
		return "overlayfs", false
	}
	return fmt.Sprintf("%#x", magic), false
}
