//go:build linux

package main

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// file is an open file.
type file struct {
	*fs.LoopbackFile
	n *node
}

// withFd calls use with the file's own descriptor.
func (f *file) withFd(use func(fd int) syscall.Errno) syscall.Errno {
	fd, ok := f.LoopbackFile.PassthroughFd()
	if !ok {
		return syscall.EBADF
	}
	return use(fd)
}

// PassthroughFd would let the kernel go past us.
func (f *file) PassthroughFd() (int, bool) { return 0, false }

// Writev would go past the journal: Write is asked instead.
func (f *file) Writev(context.Context, [][]byte, int64) (uint32, syscall.Errno) {
	return 0, syscall.ENOSYS
}

func (f *file) Read(ctx context.Context, buf []byte, off int64) (res fuse.ReadResult, e syscall.Errno) {
	name := f.n.name()
	e = f.n.m.do(ctx, "read", name, func() syscall.Errno {
		if !f.n.m.rotten(name) {
			res, e = f.LoopbackFile.Read(ctx, buf, off)
			return e
		}
		return f.withFd(func(fd int) syscall.Errno {
			var st unix.Stat_t
			if err := unix.Fstat(fd, &st); err != nil {
				return fs.ToErrno(err)
			}
			n, err := unix.Pread(fd, buf, off)
			if err != nil {
				return fs.ToErrno(err)
			}
			if st.Size > 0 {
				if at := flipped(name, st.Size); at >= off && at < off+int64(n) {
					buf[at-off] ^= 1
				}
			}
			res = fuse.ReadResultData(buf[:n])
			return 0
		})
	})
	return res, e
}

func (f *file) Write(ctx context.Context, data []byte, off int64) (n uint32, e syscall.Errno) {
	e = f.n.m.do(ctx, "write", f.n.name(), func() syscall.Errno {
		return f.withFd(func(fd int) syscall.Errno {
			var e syscall.Errno
			err := f.n.m.journal.change(fd, off, off+int64(len(data)), func() { n, e = f.LoopbackFile.Write(ctx, data, off) })
			if err != nil {
				return fs.ToErrno(err)
			}
			return e
		})
	})
	if e != 0 {
		n = 0
	}
	return n, e
}

func (f *file) Flush(ctx context.Context) syscall.Errno {
	return f.n.m.do(ctx, "flush", f.n.name(), func() syscall.Errno { return 0 })
}

// Allocate would change lengths behind the journal's back.
func (f *file) Allocate(context.Context, uint64, uint64, uint32) syscall.Errno {
	return syscall.EOPNOTSUPP
}

func (f *file) Setlk(ctx context.Context, owner uint64, lk *fuse.FileLock, flags uint32) syscall.Errno {
	return f.lock(ctx, func() syscall.Errno { return f.LoopbackFile.Setlk(ctx, owner, lk, flags) })
}

func (f *file) Setlkw(ctx context.Context, owner uint64, lk *fuse.FileLock, flags uint32) syscall.Errno {
	return f.lock(ctx, func() syscall.Errno { return f.LoopbackFile.Setlkw(ctx, owner, lk, flags) })
}

func (f *file) lock(ctx context.Context, set func() syscall.Errno) syscall.Errno {
	return f.n.m.do(ctx, "lock", f.n.name(), func() syscall.Errno {
		switch {
		case f.n.m.refuse != 0:
			return f.n.m.refuse
		case f.n.m.grant:
			return 0
		}
		return set()
	})
}

// Getlk tells of a lock in the way; where all are granted there is none.
func (f *file) Getlk(ctx context.Context, owner uint64, lk *fuse.FileLock, flags uint32, out *fuse.FileLock) syscall.Errno {
	if f.n.m.grant {
		*out = *lk
		out.Typ = syscall.F_UNLCK
		return 0
	}
	return f.LoopbackFile.Getlk(ctx, owner, lk, flags, out)
}
