package queue

import (
	"fmt"
	"strings"
	"time"
)

// Error names the owner and says what to do.
func (e *LockedError) Error() string {
	if e.Owner.PID == 0 {
		return fmt.Sprintf("campaign is in use by another process (%s is locked, its owner did not sign)", e.Path)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "campaign is in use by process %d on %s", e.Owner.PID, e.Owner.Host)
	if e.Owner.Command != "" {
		fmt.Fprintf(&b, " (%s)", e.Owner.Command)
	}
	if !e.Owner.Started.IsZero() {
		fmt.Fprintf(&b, " since %s", e.Owner.Started.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(&b, "; wait for it or stop it (%s is locked)", e.Path)
	return b.String()
}
