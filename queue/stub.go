package queue

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

var errStub = errors.New("not yet")

type Queue struct{ *Reader }
type Reader struct{}

func Open(ctx context.Context, cfg Config) (*Queue, error)           { return nil, errStub }
func OpenReader(ctx context.Context, cfg Config) (*Reader, error)    { return nil, errStub }
func Rebuild(ctx context.Context, cfg Config) (RebuildReport, error) { return RebuildReport{}, errStub }
func ReadStatus(dir string) (Status, error)                          { return Status{}, errStub }
func (q *Queue) Close() error                                        { return errStub }
func (r *Reader) Close() error                                       { return errStub }
func (q *Queue) WriteStatus(s Status) error                          { return errStub }
func (q *Queue) AddQuery(ctx context.Context, spec []byte) (id int64, resumed bool, err error) {
	return 0, false, errStub
}
func (q *Queue) FinishQuery(ctx context.Context, id int64, summary []byte) error { return errStub }
func (q *Queue) AddChunks(ctx context.Context, queryID int64, chunks []NewChunk) error {
	return errStub
}
func (q *Queue) NextChunk(ctx context.Context, queryID int64, kinds ...string) (Chunk, bool, error) {
	return Chunk{}, false, errStub
}
func (q *Queue) FinishChunk(ctx context.Context, c Chunk, out ChunkResult) error { return errStub }

// Observations: those of the query no chunk asks for yet, ordered by obsid.
func (q *Queue) Observations(ctx context.Context, queryID int64) iter.Seq2[Observation, error] {
	return nil
}
func (q *Queue) Offer(ctx context.Context, queryID int64, cfg OfferConfig) (OfferReport, error) {
	return OfferReport{}, errStub
}
func (q *Queue) StartRun(ctx context.Context, info RunInfo) (int64, error) { return 0, errStub }
func (q *Queue) FinishRun(ctx context.Context, runID int64, exit int, summary []byte) error {
	return errStub
}
func (q *Queue) Claim(ctx context.Context, runID int64, n int, order Order) ([]Job, error) {
	return nil, errStub
}
func (q *Queue) Progress(ctx context.Context, j Job, p Part) error           { return errStub }
func (q *Queue) Place(ctx context.Context, j Job, p Placement) error         { return errStub }
func (q *Queue) Finish(ctx context.Context, j Job) error                     { return errStub }
func (q *Queue) Fail(ctx context.Context, j Job, o Outcome) error            { return errStub }
func (q *Queue) Wait(ctx context.Context, j Job, o Outcome) error            { return errStub }
func (q *Queue) Park(ctx context.Context, j Job, o Outcome) error            { return errStub }
func (q *Queue) Release(ctx context.Context, j Job, p Part) error            { return errStub }
func (q *Queue) Unpark(ctx context.Context, reason Reason) (int64, error)    { return 0, errStub }
func (q *Queue) Retry(ctx context.Context, f RetryFilter) (int64, error)     { return 0, errStub }
func (q *Queue) Requeue(ctx context.Context, fileID int64, why string) error { return errStub }
func (q *Queue) Placings(ctx context.Context) ([]File, error)                { return nil, errStub }

// SettlePlaced: to is Done or Pending; part is what is left on disk (Pending only).
func (q *Queue) SettlePlaced(ctx context.Context, fileID int64, to State, part Part) error {
	return errStub
}
func (q *Queue) SetMeta(ctx context.Context, key, value string) error               { return errStub }
func (q *Queue) SetTrust(ctx context.Context, t Trust) error                        { return errStub }
func (q *Queue) SetFacts(ctx context.Context, fileID int64, f KeywordFact) error    { return errStub }
func (q *Queue) SetWant(ctx context.Context, uri string, sha256 []byte) error       { return errStub }
func (q *Queue) Event(ctx context.Context, fileID int64, kind, detail string) error { return errStub }
func (q *Queue) Owner() Owner                                                       { return Owner{} }

func (r *Reader) Meta(ctx context.Context, key string) (string, error) { return "", errStub } // "" if unset
func (r *Reader) Trust(ctx context.Context) (Trust, error)             { return "", errStub }
func (r *Reader) Counts(ctx context.Context) (Counts, error)           { return Counts{}, errStub }
func (r *Reader) PlanSummary(ctx context.Context, queryID int64) (PlanSummary, error) {
	return PlanSummary{}, errStub
}                                                                            // 0 = all queries
func (r *Reader) Failures(ctx context.Context) iter.Seq2[File, error]        { return nil }
func (r *Reader) Files(ctx context.Context, f Filter) iter.Seq2[File, error] { return nil } // sorted by uri
func (r *Reader) Done(ctx context.Context) iter.Seq2[File, error]            { return nil } // sorted by uri, Observations filled
func (r *Reader) Next(ctx context.Context) (time.Time, error)                { return time.Time{}, errStub }
func (r *Reader) Queries(ctx context.Context) ([]QueryRow, error)            { return nil, errStub }
func (r *Reader) Chunks(ctx context.Context, queryID int64, states ...ChunkState) ([]Chunk, error) {
	return nil, errStub
}
func (r *Reader) Runs(ctx context.Context) ([]Run, error)                   { return nil, errStub }
func (r *Reader) Events(ctx context.Context, fileID int64) ([]Event, error) { return nil, errStub }
func (r *Reader) Omission(ctx context.Context, uri string) (rule string, ok bool, err error) {
	return "", false, errStub
}
func (r *Reader) Dump(ctx context.Context, w io.Writer) error { return errStub }
