package cluster

import (
	"context"
	"os"

	"jwstbulk/queue"
)

// RoundReport is where a round stands.
type RoundReport struct {
	Round    int64  `json:"round"`
	Job      string `json:"job,omitempty"`
	Shards   int    `json:"shards"`
	Begun    int    `json:"begun"`    // shards that a task has begun
	Ended    int    `json:"ended"`    // of these, whose newest attempt ended by itself
	Attempts int    `json:"attempts"` // over all shards
	Files    int64  `json:"files"`    // finished, as the journals say
	Bytes    int64  `json:"bytes"`    // of these
	Lent     int64  `json:"lent"`     // files that the queue still counts as lent
	Live     int    `json:"live"`     // tasks that wait or run; -1 unknown
	Damaged  int    `json:"damaged"`  // journal lines that cannot be read
}

func (r *RoundReport) add(s Shard) {
	r.Begun++
	r.Attempts += len(s.Attempts)
	if s.Ended() {
		r.Ended++
	}
	for _, a := range s.Attempts {
		r.Damaged += a.Damaged
	}
	for _, l := range s.Returned.Done {
		r.Files++
		r.Bytes += l.Size
	}
}

// ReadRound tells where a round stands by its journals alone; Live is unknown.
func ReadRound(root *os.Root, r queue.Round) (RoundReport, error) {
	rep := RoundReport{Round: r.ID, Job: r.Job, Shards: r.Shards, Lent: r.Lent, Live: -1}
	err := ReadShards(root, r.ID, func(s Shard) error {
		rep.add(s)
		return nil
	})
	return rep, err
}

// Collector takes the work of tasks back into the campaign's queue.
type Collector struct {
	Queue *queue.Queue
	Root  *os.Root // the campaign directory
	RunID int64    // under which the files become done
	// Live asks the batch system which tasks of a round wait or run; known is false if it cannot be asked.
	Live func(r queue.Round) (live map[int]bool, known bool)
	// Force takes back all shards, also those that a task may be working on.
	Force bool
}

// Collected is what Collect did.
type Collected struct {
	queue.TakeBackReport
	Rounds []RoundReport
}

// Collect reads the journals of all rounds and takes in what they say. What a shard has left comes back if its newest
// attempt ended by itself, or if the batch system no longer knows its task. It may be called at any moment, and again.
func (c Collector) Collect(ctx context.Context) (Collected, error) {
	var out Collected
	rounds, err := c.Queue.Rounds(ctx)
	if err != nil {
		return out, err
	}
	for _, r := range rounds {
		rep, err := c.round(ctx, r, &out.TakeBackReport)
		if err != nil {
			return out, err
		}
		out.Rounds = append(out.Rounds, rep)
	}
	return out, c.lent(ctx, out.Rounds)
}

// lent tells how many files each round still has.
func (c Collector) lent(ctx context.Context, reps []RoundReport) error {
	rounds, err := c.Queue.Rounds(ctx)
	for i, r := range rounds {
		if i < len(reps) {
			reps[i].Lent = r.Lent
		}
	}
	return err
}

func (c Collector) round(ctx context.Context, r queue.Round, sum *queue.TakeBackReport) (RoundReport, error) {
	rep := RoundReport{Round: r.ID, Job: r.Job, Shards: r.Shards, Live: -1}
	var (
		live  map[int]bool
		known bool
	)
	if r.Lent > 0 {
		if live, known = c.Live(r); known {
			rep.Live = len(live)
		}
	}
	seen := make(map[int]bool, r.Shards)
	take := func(s Shard) error {
		seen[s.Shard] = true
		s.Returned.Close = c.Force || !live[s.Shard] && (known || s.Ended())
		n, err := c.Queue.TakeBack(ctx, c.RunID, r.ID, s.Shard, s.Returned)
		add(sum, n)
		return err
	}
	err := ReadShards(c.Root, r.ID, func(s Shard) error {
		rep.add(s)
		return take(s)
	})
	for k := 0; k < r.Shards && err == nil && r.Lent > 0; k++ {
		if !seen[k] && (known || c.Force) {
			err = take(Shard{Round: r.ID, Shard: k})
		}
	}
	return rep, err
}

func add(sum *queue.TakeBackReport, n queue.TakeBackReport) {
	sum.Done += n.Done
	sum.Bytes += n.Bytes
	sum.Returned += n.Returned
	sum.Known += n.Known
	sum.Unknown += n.Unknown
	sum.Differ += n.Differ
}
