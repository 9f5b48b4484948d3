// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"beltrace/test/result"
)

// retry boots the guest a second time for the tests that failed in it, and returns both reports as one. An emulated CPU
// stops for tens of milliseconds whenever the host is busy, which breaks a bound on times, and on 7.x makes the kernel
// leave out runs of a program, once in a while. What fails twice has failed; what passes then is named.
func (r *runner) retry(ctx context.Context, g guest, first report) report {
	names := first.failedTests()
	if first.Err != nil || len(names) == 0 || ctx.Err() != nil {
		return first
	}
	second := r.once(ctx, g, "^("+strings.Join(names, "|")+")$")
	if second.Err != nil {
		return first
	}
	return first.mended(second, slices.DeleteFunc(names, func(name string) bool { return !second.passed(name) }))
}

// passed reports whether a top-level test, given as a regular expression, ended well.
func (r report) passed(name string) bool {
	return slices.ContainsFunc(r.Events, func(e result.Event) bool {
		return e.Action == "pass" && regexp.QuoteMeta(e.Test) == name
	})
}

// failedTests returns the top-level tests that failed, as regular expressions, or nothing if something else did too.
func (r report) failedTests() []string {
	var names []string
	for _, e := range r.Events {
		if e.Action != "fail" || e.Test == "" {
			continue
		}
		if name := topLevel(e.Test); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for i, name := range names {
		names[i] = regexp.QuoteMeta(name)
	}
	return names
}

// mended replaces what the named tests said when they failed by what they said in the second guest, in which they passed.
func (r report) mended(second report, names []string) report {
	if len(names) == 0 {
		return r
	}
	of := func(e result.Event) bool { return slices.Contains(names, regexp.QuoteMeta(topLevel(e.Test))) }
	whole := len(names) == len(r.failedTests())
	var events []result.Event
	for _, e := range r.Events {
		if e.Test == "" && e.Action == "fail" && whole {
			e.Action = "pass" // the package: only these tests kept it from passing
		}
		if !of(e) {
			events = append(events, e)
		}
	}
	for _, e := range second.Events {
		if of(e) {
			events = append(events, e)
		}
	}
	var log result.Log
	for _, e := range events {
		log.Add(e)
	}
	r.Events, r.Counts, r.Failures = events, log.Counts(), log.Failures()
	r.Took += second.Took
	note := fmt.Sprintf("second try in a fresh guest: %s", strings.Join(names, ", "))
	r.Note = strings.TrimPrefix(r.Note+"; "+note, "; ")
	return r
}

func topLevel(test string) string {
	name, _, _ := strings.Cut(test, "/")
	return name
}
