//go:build linux

package main

import (
	"context"
	"hash/fnv"
	"os"
	"path"
	"strconv"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// mounted is what all nodes of a mount share.
type mounted struct {
	faults
	journal *journal // nil unless -volatile
	nommap  bool
	grant   bool          // every lock succeeds
	refuse  syscall.Errno // every lock fails so, unless 0
}

// node is a file or directory of the directory below.
type node struct {
	*fs.LoopbackNode
	m *mounted
}

func (n *node) WrapChild(_ context.Context, ops fs.InodeEmbedder) fs.InodeEmbedder {
	return &node{ops.(*fs.LoopbackNode), n.m}
}

// name is the path below the mount, as it is now.
func (n *node) name() string { return n.EmbeddedInode().Path(nil) }

func (n *node) child(name string) string { return path.Join(n.name(), name) }

// below is where the node is in the directory below.
func (n *node) below() string { return path.Join(n.RootData.Path, n.name()) }

func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (in *fs.Inode, e syscall.Errno) {
	e = n.m.do(ctx, "lookup", n.child(name), func() (e syscall.Errno) {
		in, e = n.LoopbackNode.Lookup(ctx, name, out)
		return e
	})
	return in, e
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (in *fs.Inode, fh fs.FileHandle, ff uint32, e syscall.Errno) {
	e = n.m.do(ctx, "create", n.child(name), func() (e syscall.Errno) {
		in, fh, ff, e = n.LoopbackNode.Create(ctx, name, flags, mode, out)
		return e
	})
	if lf, ok := fh.(*fs.LoopbackFile); ok && e == 0 {
		fh = &file{lf, in.Operations().(*node)}
	}
	return in, fh, ff | n.openFlags(), e
}

func (n *node) Open(ctx context.Context, flags uint32) (fh fs.FileHandle, ff uint32, e syscall.Errno) {
	e = n.m.do(ctx, "open", n.name(), func() (e syscall.Errno) {
		fh, ff, e = n.LoopbackNode.Open(ctx, flags&^syscall.O_TRUNC) // Setattr empties it, and remembers
		return e
	})
	if lf, ok := fh.(*fs.LoopbackFile); ok && e == 0 {
		fh = &file{lf, n}
	}
	return fh, ff | n.openFlags(), e
}

func (n *node) openFlags() uint32 {
	if n.m.nommap {
		return fuse.FOPEN_DIRECT_IO
	}
	return 0
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (in *fs.Inode, e syscall.Errno) {
	e = n.m.do(ctx, "mkdir", n.child(name), func() (e syscall.Errno) {
		in, e = n.LoopbackNode.Mkdir(ctx, name, mode, out)
		return e
	})
	return in, e
}

func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	return n.m.do(ctx, "unlink", n.child(name), func() syscall.Errno { return n.LoopbackNode.Unlink(ctx, name) })
}

func (n *node) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	return n.m.do(ctx, "rename", n.child(name), func() syscall.Errno {
		return n.LoopbackNode.Rename(ctx, name, to, newName, flags)
	})
}

// Setattr is where files are cut and lengthened.
func (n *node) Setattr(ctx context.Context, fh fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	size, resize := in.GetSize()
	var lower fs.FileHandle
	if f, ok := fh.(*file); ok {
		lower = f.LoopbackFile
	}
	set := func() syscall.Errno { return n.LoopbackNode.Setattr(ctx, lower, in, out) }
	if !resize {
		return set()
	}
	return n.m.do(ctx, "truncate", n.name(), func() syscall.Errno {
		f, err := os.OpenFile(n.below(), os.O_RDWR, 0)
		if err != nil {
			return fs.ToErrno(err)
		}
		defer f.Close() // nothing is written through it
		info, err := f.Stat()
		if err != nil {
			return fs.ToErrno(err)
		}
		var e syscall.Errno
		err = n.m.journal.change(int(f.Fd()), int64(size), info.Size(), func() { e = set() })
		if err != nil {
			return fs.ToErrno(err)
		}
		return e
	})
}

// Fsync flushes a file or a directory. Nothing is flushed below: what the journal has forgotten is durable.
func (n *node) Fsync(ctx context.Context, fh fs.FileHandle, _ uint32) syscall.Errno {
	return n.m.do(ctx, "fsync", n.name(), func() syscall.Errno {
		f, ok := fh.(*file)
		if !ok {
			return 0
		}
		return f.withFd(func(fd int) syscall.Errno { return fs.ToErrno(n.m.journal.flushed(fd)) })
	})
}

// CopyFileRange and Tmpfile would go past the journal.
func (n *node) CopyFileRange(context.Context, fs.FileHandle, uint64, *fs.Inode, fs.FileHandle, uint64, uint64, uint64) (uint32, syscall.Errno) {
	return 0, syscall.ENOSYS
}

func (n *node) Tmpfile(context.Context, uint32, uint32, *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	return nil, nil, 0, syscall.EOPNOTSUPP
}

// flipped is the offset in a file of so many bytes at which reads find a flipped bit.
func flipped(name string, size int64) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name + strconv.FormatInt(size, 10))) // a hash's Write never fails
	return int64(h.Sum64() % uint64(size))
}
