package durable

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// WriteFile replaces the file name below root by what write produces, or leaves it as it was. perm is the mode of the new
// file before the umask. The parent directory must exist. When WriteFile returns nil the new content is durable.
//
// An error of write is returned as it is (wrapped), and the temporary file is removed. Concurrent calls for one name are
// safe; the last rename wins.
//
// The order of system calls:
//
//	openat(dir)
//	openat(name.<8 hex>.tmp, O_WRONLY|O_CREAT|O_EXCL)
//	write…
//	fsync(tmp)
//	close(tmp)
//	renameat(tmp, name)
//	fsync(dir)
//	close(dir)
func WriteFile(root *os.Root, name string, perm fs.FileMode, write func(io.Writer) error) (err error) {
	// The directory is opened first: if that is not possible, nothing has been touched.
	dir, err := root.Open(path.Dir(name))
	if err != nil {
		return fmt.Errorf("opening the directory of %q: %w", name, err)
	}
	defer func() { _ = dir.Close() }() // only read from; its fsync is checked below

	tmp, info, err := writeTemp(root, name, perm, write)
	if err != nil {
		return err
	}
	if err := rename(root, tmp, name, info); err != nil {
		_ = root.Remove(tmp) // best effort: the rename's error is what the caller must see
		return err
	}
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("flushing the directory of %q: %w", name, err)
	}
	return nil
}

// tempSuffix ends the names of temporary files, behind the final name, a dot and eight hexadecimal digits.
const tempSuffix = ".tmp"

// SweepTemp removes the temporary files that writers of name left when they were killed. The caller makes sure that nobody
// writes name meanwhile.
func SweepTemp(root *os.Root, name string) error {
	dir, err := root.Open(path.Dir(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening the directory of %q: %w", name, err)
	}
	defer dir.Close() // only read from
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("reading the directory of %q: %w", name, err)
	}
	for _, n := range names {
		token, ok := strings.CutPrefix(strings.TrimSuffix(n, tempSuffix), path.Base(name)+".")
		if raw, err := hex.DecodeString(token); !ok || !strings.HasSuffix(n, tempSuffix) || err != nil || len(raw) != 4 {
			continue
		}
		if err := root.Remove(path.Join(path.Dir(name), n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing a temporary file: %w", err)
		}
	}
	return nil
}

// writeTemp makes the temporary file beside name and returns its name and identity. On error nothing is left.
func writeTemp(root *os.Root, name string, perm fs.FileMode, write func(io.Writer) error) (_ string, info fs.FileInfo, err error) {
	var token [4]byte
	rand.Read(token[:])
	tmp := name + "." + hex.EncodeToString(token[:]) + tempSuffix
	f, err := root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return "", nil, fmt.Errorf("creating a temporary file for %q: %w", name, err)
	}
	closed := false
	defer func() {
		if err == nil {
			return
		}
		if !closed {
			_ = f.Close() // an earlier error is being returned
		}
		_ = root.Remove(tmp) // best effort
	}()
	if err := write(f); err != nil {
		return "", nil, fmt.Errorf("writing %q: %w", name, err)
	}
	if err := f.Sync(); err != nil {
		return "", nil, fmt.Errorf("flushing %q: %w", name, err)
	}
	if info, err = f.Stat(); err != nil {
		return "", nil, fmt.Errorf("inspecting the temporary file of %q: %w", name, err)
	}
	closed = true // close is never repeated, whatever it says (close(2))
	if err := f.Close(); err != nil {
		return "", nil, fmt.Errorf("closing %q: %w", name, err)
	}
	return tmp, info, nil
}

// Rename gives the file old, whose content the caller has flushed, the name new, replacing what is there, and makes that
// durable. Both names are relative to root and must be on one file system; the directory of new must exist.
//
// A rename that reports an error although it took effect, as a retransmitted NFS request does (rename(2), BUGS), is
// recognised by the file's identity and counts as success.
//
// The order of system calls:
//
//	fstatat(old)
//	renameat(old, new)
//	fsync(directory of new)
//	fsync(directory of old), if it is another one
func Rename(root *os.Root, old, new string) error {
	info, err := root.Lstat(old)
	if err != nil {
		return fmt.Errorf("inspecting %q: %w", old, err)
	}
	if err := rename(root, old, new, info); err != nil {
		return err
	}
	// The new entry first: a cut between the two leaves the file under two names, never under none.
	if err := SyncDir(root, path.Dir(new)); err != nil {
		return err
	}
	if path.Dir(old) == path.Dir(new) {
		return nil
	}
	return SyncDir(root, path.Dir(old))
}

// rename renames and, on an error, looks whether the file that was old now stands at new.
func rename(root *os.Root, old, new string, info fs.FileInfo) error {
	err := root.Rename(old, new)
	if err == nil || renamed(root, old, new, info) {
		return nil
	}
	return fmt.Errorf("renaming %q to %q: %w", old, new, err)
}

// renamed reports whether old is gone and the file it was, info, is at new.
func renamed(root *os.Root, old, new string, info fs.FileInfo) bool {
	if _, err := root.Lstat(old); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	got, err := root.Lstat(new)
	return err == nil && os.SameFile(got, info) && got.Size() == info.Size()
}
