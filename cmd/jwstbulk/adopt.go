package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"strings"

	"github.com/urfave/cli/v2"

	"jwstbulk/fetcher"
	"jwstbulk/internal/campaign"
	"jwstbulk/queue"
)

// adoptDirFlag says where files may lie already.
func adoptDirFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "adopt", Category: "On disk already", EnvVars: env("adopt"),
		Usage: "search `DIR` for files that are wanted; those that prove right are not fetched; may be repeated"}
}

// adoptFlags say where files may lie already and how they are taken over.
func adoptFlags() []cli.Flag {
	return []cli.Flag{adoptDirFlag(),
		&cli.StringFlag{Name: "adopt-by", Category: "On disk already", Value: string(fetcher.AdoptCopy), EnvVars: env("adopt-by"),
			Usage: "`copy|link|move`: a copy (which shares its blocks where the file system can), a hard link, or the file itself"}}
}

// readAdopt reads the flags; every directory must be there.
func readAdopt(c *cli.Context) (campaign.Adopt, error) {
	a := campaign.Adopt{Here: true, By: fetcher.AdoptBy(c.String("adopt-by"))}
	switch a.By {
	case fetcher.AdoptCopy, fetcher.AdoptLink, fetcher.AdoptMove:
	case "": // a command that only counts
	default:
		return a, usagef("invalid --adopt-by %q: want copy, link or move", a.By)
	}
	if c.IsSet("adopt-by") && !c.IsSet("adopt") {
		return a, usagef("--adopt-by needs --adopt DIR")
	}
	for _, dir := range c.StringSlice("adopt") {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return a, err
		}
		d, err := os.Open(abs)
		if err == nil {
			_, err = d.ReadDir(1)
			err = errors.Join(err, d.Close())
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return a, usagef("invalid --adopt %q: want a directory that can be read: %v", dir, err)
		}
		a.Dirs = append(a.Dirs, abs)
	}
	return a, nil
}

// onDisk counts what lies in dir and in the directories to adopt from under the right name and with the right length.
func onDisk(ctx context.Context, o output, q *queue.Reader, dir string, a campaign.Adopt) (n queue.Count, err error) {
	here, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		a.Here = false
	} else if err != nil {
		return n, err
	} else {
		defer here.Close() // only looked into
	}
	return campaign.OnDisk(ctx, q, here, a, func(text string) { o.say("%s", text) })
}

// leftTexts says why files on disk were not taken over, the most telling first.
var leftTexts = []struct{ why, text string }{
	{fetcher.LeftChecksum, "with other bytes than the archive's"},
	{fetcher.LeftLength, "of another length"},
	{fetcher.LeftNoChecksum, "for which the archive lists no checksum"},
	{fetcher.LeftUnreadable, "that cannot be read, or are being written"},
}

// writeAdopted prints what was taken over and what was not; nothing if there was nothing on disk.
func writeAdopted(b *strings.Builder, a fetcher.Adoption) {
	if a.Files > 0 {
		fmt.Fprintf(b, "adopted   %s, %s that were on disk already\n", files(a.Files), size(a.Bytes))
	}
	var why []string
	total := int64(0)
	for _, l := range leftTexts {
		if n := a.Left[l.why]; n > 0 {
			total += n
			why = append(why, number(n)+" "+l.text)
		}
	}
	if total > 0 {
		fmt.Fprintf(b, "not taken %s on disk that could not be proven and were to be fetched: %s\n", files(total), strings.Join(why, ", "))
	}
}
