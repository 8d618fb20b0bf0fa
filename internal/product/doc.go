// Package product knows what the names of JWST's files and observations say.
//
// The one idea: a file's name is unique in the archive and made of facts (programme, observation, detector, suffix), so that
// they can be told where no table states them. Names are read, never made. Where a name does not say, the answer is empty,
// and the caller asks elsewhere.
//
// It promises that a name which SafeName accepts can be created in any directory of any system. It knows no HTTP, no queue
// and no files on disk. All of it may be called from any goroutine.
package product
