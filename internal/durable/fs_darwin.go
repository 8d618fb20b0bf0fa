package durable

import "golang.org/x/sys/unix"

// kind reads the type name and the MNT_LOCAL flag of statfs(2).
func kind(st *unix.Statfs_t) (name string, network bool) {
	name = unix.ByteSliceToString(st.Fstypename[:])
	return name, st.Flags&unix.MNT_LOCAL == 0
}
