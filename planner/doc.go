// Package planner turns queries and lists of files into jobs of a queue.
//
// The one idea: every step is a chunk stored in the queue before it is worked, and a chunk's reply, outcome and successors
// are taken in by one transaction. A plan that is killed anywhere goes on from its last finished request, and ends with
// the queue it would have had. The chunks of a query form a chain:
//
//	start ─▶ observe… ─▶ products… ─▶ keywords… ─▶ offer
//
// observe counts first and bisects the start time when the archive would return more rows than one request may carry;
// products asks for a few observations at a time, growing while replies are quick and halving when they fail; keywords
// joins exact size, checksum and pipeline versions by file; offer chooses paths, refuses unsafe names and collisions and
// hands the files to the workers.
//
// A query by way of the keyword services begins with files… instead of observe… and products…, a list with list.
//
// To read it, begin with plan.go, which works the chunks; observe.go, products.go, via.go, keywords.go and offer.go are the
// stages, sweep.go is how large questions are split. What is asked for comes from internal/query; planlist.go takes lists, which
// internal/filelist reads. summary.go and forecast.go tell the outcome.
//
// It promises to hide nothing: the only filter that was not asked for leaves out guide-star files, and the summary counts
// what each rule left out. It does not download, and it holds no list of files in memory.
package planner
