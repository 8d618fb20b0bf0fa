//go:build linux

package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "fusefs: %v\n", err)
		os.Exit(1)
	}
}

// run mounts, obeys in until its end, and unmounts.
func run(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("fusefs", flag.ContinueOnError)
	locks := flags.String("locks", "pass", "pass locks on, grant all, or refuse them with an error")
	nommap := flags.Bool("nommap", false, "let shared memory maps fail")
	fold := flags.Bool("fold", false, "keep names in lower case")
	volatile := flags.Bool("volatile", false, "remember what is not fsynced, for the command cut")
	var first []string
	flags.Func("do", "a command to begin with", func(s string) error {
		first = append(first, s)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 2 {
		return errors.New("give a directory and a mount point")
	}
	m := &mounted{nommap: *nommap, grant: *locks == "grant"}
	if *volatile {
		m.journal = newJournal()
	}
	if *locks != "grant" && *locks != "pass" {
		e, err := errno(*locks)
		if err != nil {
			return err
		}
		m.refuse = e
	}
	for _, line := range first {
		if err := m.obey(line); err != nil {
			return err
		}
	}
	server, err := m.mount(flags.Arg(0), flags.Arg(1), *fold)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "ok")
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if err := m.obey(lines.Text()); err != nil {
			fmt.Fprintln(out, "error:", err)
		} else {
			fmt.Fprintln(out, "ok")
		}
	}
	return server.Unmount()
}

// mount shows the directory at the mount point and serves it from then on.
func (m *mounted) mount(dir, at string, fold bool) (*fuse.Server, error) {
	root, err := fs.NewLoopbackRoot(dir)
	if err != nil {
		return nil, err
	}
	var none time.Duration // attributes are asked for each time
	opts := &fs.Options{EntryTimeout: &none, AttrTimeout: &none, NegativeTimeout: &none, NullPermissions: true}
	top := &node{root.(*fs.LoopbackNode), m}
	top.RootData.RootNode = top
	raw := fs.NewNodeFS(top, opts)
	if fold {
		raw = folding{raw}
	}
	server, err := fuse.NewServer(raw, at, &fuse.MountOptions{
		DirectMountStrict: true, AllowOther: true, EnableLocks: true, FsName: "fusefs", Name: "fusefs",
	})
	if err != nil {
		return nil, err
	}
	go server.Serve() // ends with the mount
	return server, server.WaitMount()
}

// obey carries out one command.
func (m *mounted) obey(line string) error {
	switch f := strings.Fields(line); {
	case len(f) == 1 && f[0] == "heal":
		m.heal()
		return nil
	case len(f) == 2 && f[0] == "cut":
		seed, err := strconv.ParseUint(f[1], 10, 64)
		if err != nil {
			return err
		}
		m.mu.Lock()
		m.dead = true
		m.mu.Unlock()
		return m.journal.cut(seed)
	}
	r, err := parseRule(line)
	if err != nil {
		return err
	}
	m.add(r)
	return nil
}
