//go:build !cgo

package queue

// Without cgo the driver opens nothing and has no errors of its own; this file only lets such a build be checked.

func sqlError(err error) error { return err }

func isBusy(error) bool { return false }

func isCantOpen(error) bool { return false }

func isNoTempFile(error) bool { return false }

func isDatabase(error) bool { return false }

func isNoTransaction(error) bool { return false }

func isReadOnly(error) bool { return false }
