// Package filelist reads the lists of files that people have: what MAST, astroquery, other tools and jwstbulk itself wrote.
//
// The one idea: the format is told from the beginning of a list, and whatever it is, nothing but the names of JWST products,
// the folders they were stored in and the names of observations is taken from it. Nothing of a list is executed, and no
// address in one is ever asked.
//
// To read it, begin with list.go, which tells the formats apart; location.go reads URIs, keys and addresses, and the files
// named after formats the rest. exported.go has the forms in which a manifest is exported.
//
// It promises that every item is a product of JWST, and that an error says in which line. It knows no archive and no queue,
// does not ask whether the files exist, and keeps repeats.
package filelist
