// Package query is the language in which a user asks for files, and its translation into the archive's terms.
//
// The one idea: what was typed, on the command line or in a file, is a Query of plain text. A Normal, its checked normal
// form, has one spelling for each meaning, so that it can be stored and compared; from it comes everything else. Some of a
// query the archive applies (Branches), the rest is applied to its answers: to observations and to files (Selector).
//
// To read it, begin with query.go, what a user says; vocabulary.go has its words, file.go reads them from TOML. normal.go is
// what others work with. criteria.go and where.go translate for the list of observations, keywords.go for the keyword
// services; position.go has places and times, select.go the criteria for files.
//
// It promises that two ways of saying one thing have one canonical form, and that every refusal names the flag, the value and
// what was expected. It asks nothing of anybody: whether anything matches, only the archive knows.
package query
