// Package layers holds the source tree to the rules of its architecture: which package may import which, what stands at
// the top level, which modules the product is built on, and that each package and each exported name is documented.
//
// The one idea: the rules are a Go table beside the test (layers_test.go), the checks are plain functions over an fs.FS,
// so that they are themselves tested against small trees that break each rule.
//
// It promises to name every breach with file and reason. It does not type-check or build anything: it reads the source
// text of all files, whatever their build constraints, and so sees the imports of every platform at once.
package layers
