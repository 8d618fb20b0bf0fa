package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"strconv"

	"jwstbulk/internal/durable"
	"jwstbulk/queue"
)

// ShardDir is where lists and journals lie, relative to the campaign directory.
const ShardDir = ".jwstbulk/shard"

const listFormat = "jwstbulk-shard"

// maxLine bounds a line of a list or journal on reading.
const maxLine = 4 << 20

// listHeader is the first line of a list.
type listHeader struct {
	Format  string      `json:"format"`
	Version int         `json:"version"` // 1
	Round   int64       `json:"round"`
	Shard   int         `json:"shard"`
	Trust   queue.Trust `json:"trust"` // what the campaign knew of the archive's checksums
}

// RoundDir is the directory of a round, relative to the campaign directory.
func RoundDir(round int64) string { return path.Join(ShardDir, strconv.FormatInt(round, 10)) }

func listName(round int64, shard int) string {
	return path.Join(RoundDir(round), strconv.Itoa(shard)+".jsonl")
}

// Lender is the part of a queue that writes lists. *queue.Queue is one.
type Lender interface {
	Loans(ctx context.Context, round int64, shard int) iter.Seq2[queue.Loan, error]
	Trust(ctx context.Context) (queue.Trust, error)
}

// WriteLists writes the lists of a round that are not there yet. A list never changes once it is there, so calling this
// again after a kill is safe.
func WriteLists(ctx context.Context, root *os.Root, q Lender, round int64, shards int) error {
	if err := durable.MkdirAll(root, RoundDir(round)); err != nil {
		return err
	}
	trust, err := q.Trust(ctx)
	if err != nil {
		return err
	}
	for k := range shards {
		name := listName(round, k)
		if _, err := root.Stat(name); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("looking for a shard's list: %w", err)
		}
		h := listHeader{Format: listFormat, Version: 1, Round: round, Shard: k, Trust: trust}
		err := durable.WriteFile(root, name, 0o644, func(w io.Writer) error { return writeList(w, h, q.Loans(ctx, round, k)) })
		if err != nil {
			return fmt.Errorf("writing the list of shard %d: %w", k, err)
		}
	}
	return nil
}

func writeList(w io.Writer, h listHeader, loans iter.Seq2[queue.Loan, error]) error {
	b := bufio.NewWriterSize(w, 256<<10)
	enc := json.NewEncoder(b)
	if err := enc.Encode(h); err != nil {
		return err
	}
	for l, err := range loans {
		if err != nil {
			return err
		}
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	return b.Flush()
}

// ErrNoShard is returned by StartTask and Shards when there is no such list.
var ErrNoShard = errors.New("there is no such shard")

// Shards counts the lists of a round. ErrNoShard if the round has none.
func Shards(root *os.Root, round int64) (int, error) {
	for n := 0; ; n++ {
		_, err := root.Stat(listName(round, n))
		switch {
		case err == nil:
		case !errors.Is(err, fs.ErrNotExist):
			return 0, fmt.Errorf("counting shards: %w", err)
		case n == 0:
			return 0, fmt.Errorf("%w: round %d has no lists", ErrNoShard, round)
		default:
			return n, nil
		}
	}
}

// LastRound returns the highest round that has a directory, 0 if there is none.
func LastRound(root *os.Root) (int64, error) {
	entries, err := fs.ReadDir(root.FS(), ShardDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("looking for rounds: %w", err)
	}
	last := int64(0)
	for _, e := range entries {
		if n, err := strconv.ParseInt(e.Name(), 10, 64); err == nil {
			last = max(last, n)
		}
	}
	return last, nil
}

// readList yields the files of a list whose URI skip does not hold. The trust of the header is stored in *trust before the
// first file.
func readList(r io.Reader, round int64, shard int, skip func(uri string) bool, trust *queue.Trust) iter.Seq2[queue.Loan, error] {
	return func(yield func(queue.Loan, error) bool) {
		sc := bufio.NewScanner(r)
		sc.Buffer(make([]byte, 64<<10), maxLine)
		for n := 1; sc.Scan(); n++ {
			var l queue.Loan
			err := error(nil)
			if n == 1 {
				if *trust, err = readHeader(sc.Bytes(), round, shard); err == nil {
					continue
				}
			} else if err = json.Unmarshal(sc.Bytes(), &l); err == nil && skip(l.URI) {
				continue
			}
			if err != nil {
				err = fmt.Errorf("line %d: %w", n, err)
			}
			if !yield(l, err) || err != nil {
				return
			}
		}
		if err := sc.Err(); err != nil {
			yield(queue.Loan{}, err)
		}
	}
}

func readHeader(b []byte, round int64, shard int) (queue.Trust, error) {
	var h listHeader
	if err := json.Unmarshal(b, &h); err != nil {
		return "", err
	}
	if h.Format != listFormat || h.Version != 1 || h.Round != round || h.Shard != shard {
		return "", fmt.Errorf("%q is not the header of shard %d of round %d", bytes.TrimSpace(b), shard, round)
	}
	return h.Trust, nil
}
