package durable

import (
	"io/fs"
	"math"

	"golang.org/x/sys/unix"
)

// FreeSpace returns the bytes and inodes an ordinary user may still take on the file system that holds dir.
// File systems without a fixed number of inodes (btrfs, many network ones) answer math.MaxUint64 inodes.
// Quotas are not seen: see Quota.
func FreeSpace(dir string) (bytes, inodes uint64, err error) {
	var st unix.Statfs_t
	if err := statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	inodes = uint64(st.Ffree)
	if st.Files == 0 {
		inodes = math.MaxUint64
	}
	return uint64(st.Bavail) * uint64(st.Bsize), inodes, nil
}

// FSKind names the file system that holds dir ("ext4", "nfs", …; "0x…" for an unknown one on Linux) and says whether it
// is of a kind whose locks and memory maps are not to be trusted across hosts: NFS, CIFS, Lustre, GPFS, BeeGFS, FUSE and
// their like. Unknown kinds count as local.
func FSKind(dir string) (name string, network bool, err error) {
	var st unix.Statfs_t
	if err := statfs(dir, &st); err != nil {
		return "", false, err
	}
	name, network = kind(&st)
	return name, network, nil
}

func statfs(dir string, st *unix.Statfs_t) error {
	for {
		err := unix.Statfs(dir, st)
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return &fs.PathError{Op: "statfs", Path: dir, Err: err}
		}
	}
}
