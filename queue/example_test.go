package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"jwstbulk/queue"
)

// A campaign from the first query to a finished file.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "campaign")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	q, err := queue.Open(ctx, queue.Config{Dir: dir, Create: true})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	// The planner: a query, its requests, what they list, and the paths.
	query, _, err := q.AddQuery(ctx, []byte(`{"program":["1345"]}`))
	if err != nil {
		log.Fatal(err)
	}
	if err := q.AddChunks(ctx, query, []queue.NewChunk{{Kind: "list"}}); err != nil {
		log.Fatal(err)
	}
	chunk, _, err := q.NextChunk(ctx, query)
	if err != nil {
		log.Fatal(err)
	}
	files := func(yield func(queue.NewFile, error) bool) {
		yield(queue.NewFile{URI: "mast:JWST/product/jw01345_rate.fits", ObsID: "jw01345-o001", Size: 5760}, nil)
	}
	if err := q.FinishChunk(ctx, chunk, queue.ChunkResult{State: queue.ChunkDone, Files: files}); err != nil {
		log.Fatal(err)
	}
	if _, err := q.Offer(ctx, query, queue.OfferConfig{}); err != nil {
		log.Fatal(err)
	}

	// The fetcher: claim, fetch, place, rename, finish.
	run, err := q.StartRun(ctx, queue.RunInfo{Command: "get"})
	if err != nil {
		log.Fatal(err)
	}
	jobs, err := q.Claim(ctx, run, 1, queue.OrderPlan)
	if err != nil {
		log.Fatal(err)
	}
	for _, j := range jobs {
		fmt.Println("fetch", j.URI, "to", j.Path)
		p := queue.Placement{Size: j.Size, SHA256: make([]byte, 32), MD5: make([]byte, 16), Proof: queue.ProofSize}
		if err := q.Place(ctx, j, p); err != nil {
			log.Fatal(err)
		}
		if err := q.Finish(ctx, j); err != nil { // after the rename
			log.Fatal(err)
		}
	}
	counts, err := q.Counts(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("done:", counts.State[queue.Done].Files)
	// Output:
	// fetch mast:JWST/product/jw01345_rate.fits to JWST/jw01345-o001/jw01345_rate.fits
	// done: 1
}

func ExampleOpen() {
	_, err := queue.Open(context.Background(), queue.Config{Dir: os.TempDir() + "/no-campaign-here"})
	fmt.Println(errors.Is(err, queue.ErrNoCampaign))
	// Output: true
}

// A report beside the process that works.
func ExampleOpenReader() {
	r, err := queue.OpenReader(context.Background(), queue.Config{Dir: "."})
	var locked *queue.LockedError
	switch {
	case errors.As(err, &locked): // a network file system: only status.json can be read now
		s, err := queue.ReadStatus(".")
		fmt.Println(s.Counts, err)
	case err != nil:
		fmt.Println("no report")
	default:
		defer r.Close()
	}
	// Output: no report
}

// After Open said that the database is damaged.
func ExampleRebuild() {
	ctx, cfg := context.Background(), queue.Config{Dir: "."}
	_, err := queue.Open(ctx, cfg)
	if errors.Is(err, queue.ErrDamaged) {
		rep, err := queue.Rebuild(ctx, cfg)
		fmt.Println(rep.Done, "files kept", err)
	}
	// Output:
}

func ExampleReadStatus() {
	_, err := queue.ReadStatus(os.TempDir() + "/no-campaign-here")
	fmt.Println(errors.Is(err, os.ErrNotExist))
	// Output: true
}

func ExampleReadJournal() {
	journal := `{"uri":"mast:JWST/product/a.fits","undone":true,"size":0}` + "\n" + `{"uri":`
	for l, err := range queue.ReadJournal(strings.NewReader(journal)) {
		fmt.Println(l.URI, errors.Is(err, queue.ErrJournalLine))
	}
	// Output:
	// mast:JWST/product/a.fits false
	//  true
}
