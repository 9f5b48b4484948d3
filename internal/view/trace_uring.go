// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"

	"beltrace/collector/event"
)

// operationWords says an operation's submission or completion.
func operationWords(e *event.Event) string {
	u := e.Uring
	if u == nil {
		return ""
	}
	out := []string{fmt.Sprintf("ring %d", u.Ring), Clean(u.Op)}
	if e.Known(event.FieldUserData) {
		out = append(out, fmt.Sprintf("user_data %#x", u.UserData))
	}
	if e.Known(event.FieldRes) {
		out = append(out, result(u.Res))
	}
	if e.Known(event.FieldLatencyNS) {
		out = append(out, "took "+Dur(e.Turn.LatencyNS))
	}
	if e.Known(event.FieldHow) {
		out = append(out, Clean(u.How))
	}
	return strings.Join(out, "  ")
}

// result is what an operation returned.
func result(res int32) string {
	if res < 0 {
		return event.ErrnoName(-res)
	}
	return fmt.Sprintf("res %d", res)
}

// ringWords says what a ring has done.
func ringWords(e *event.Event) string {
	u := e.Uring
	if u == nil {
		return ""
	}
	out := []string{fmt.Sprintf("ring %d", u.Ring)}
	if e.Known(event.FieldInFlight) {
		out = append(out, fmt.Sprintf("in flight %d", u.InFlight))
	}
	for i := range u.Ops {
		o := &u.Ops[i]
		words := Clean(o.Op) + " " + Count(o.Count)
		if o.Errors > 0 {
			words += fmt.Sprintf(" (%s failed)", Count(o.Errors))
		}
		out = append(out, words)
	}
	if e.Known(event.FieldOverflow) && u.Overflow > 0 {
		out = append(out, "overflow "+Count(u.Overflow))
	}
	return strings.Join(out, "  ")
}
