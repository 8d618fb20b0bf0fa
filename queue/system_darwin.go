package queue

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// BootID tells one boot of a machine from the next; "" if the system does not say.
func BootID() string {
	id, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return ""
	}
	return id
}

// networkFS names the file system that holds dir if it is not local; "" for others. The write-ahead log needs shared
// memory, which those do not give (sqlite.org/wal.html).
func networkFS(dir string) (string, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "", fmt.Errorf("asking for the file system of %q: %w", dir, err)
	}
	if st.Flags&unix.MNT_LOCAL != 0 {
		return "", nil
	}
	return unix.ByteSliceToString(st.Fstypename[:]), nil
}
