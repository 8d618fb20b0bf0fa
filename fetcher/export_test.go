package fetcher

import "time"

// What tests look at from outside.
const PartDir = partDir

var PartPath = partPath

// ErrKilled is what Run returns once killed has been true.
var ErrKilled = errKilled

// SetKill has the fetcher die at the first step for which killed is true; it must be true from then on.
func SetKill(f *Fetcher, killed func(step string) bool) { f.killed = killed }

// SetBoot has the fetcher believe in another boot.
func SetBoot(f *Fetcher, boot string) { f.boot = boot }

// SetLookUps sets how long an attempt waits for the mirror's name of its file, and how long one look-up may take. The
// fetcher must have a mirror.
func SetLookUps(f *Fetcher, wait, limit time.Duration) { f.paths.wait, f.paths.limit = wait, limit }
