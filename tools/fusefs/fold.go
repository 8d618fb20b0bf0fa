//go:build linux

package main

import (
	"strings"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// folding keeps all names in lower case.
type folding struct{ fuse.RawFileSystem }

func (f folding) Lookup(cancel <-chan struct{}, header *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	return f.RawFileSystem.Lookup(cancel, header, strings.ToLower(name), out)
}

func (f folding) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	return f.RawFileSystem.Create(cancel, in, strings.ToLower(name), out)
}

func (f folding) Mknod(cancel <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	return f.RawFileSystem.Mknod(cancel, in, strings.ToLower(name), out)
}

func (f folding) Mkdir(cancel <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	return f.RawFileSystem.Mkdir(cancel, in, strings.ToLower(name), out)
}

func (f folding) Unlink(cancel <-chan struct{}, header *fuse.InHeader, name string) fuse.Status {
	return f.RawFileSystem.Unlink(cancel, header, strings.ToLower(name))
}

func (f folding) Rmdir(cancel <-chan struct{}, header *fuse.InHeader, name string) fuse.Status {
	return f.RawFileSystem.Rmdir(cancel, header, strings.ToLower(name))
}

func (f folding) Rename(cancel <-chan struct{}, in *fuse.RenameIn, from, to string) fuse.Status {
	return f.RawFileSystem.Rename(cancel, in, strings.ToLower(from), strings.ToLower(to))
}

func (f folding) Link(cancel <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	return f.RawFileSystem.Link(cancel, in, strings.ToLower(name), out)
}

func (f folding) Symlink(cancel <-chan struct{}, header *fuse.InHeader, to, name string, out *fuse.EntryOut) fuse.Status {
	return f.RawFileSystem.Symlink(cancel, header, to, strings.ToLower(name), out)
}
