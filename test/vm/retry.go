// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"

	"beltrace/test/result"
)

// retry boots the guest a second time for the tests that failed in it, and returns both reports as one. An emulated CPU
// stops for tens of milliseconds whenever the host is busy, which breaks a bound on times, and on 7.x makes the kernel
// leave out runs of a program, once in a while. What fails twice has failed; what passes then is named.
func (r *runner) retry(ctx context.Context, g guest, first report) report {
	names := first.Events.Failed()
	if first.Err != nil || len(names) == 0 || ctx.Err() != nil {
		return first
	}
	second := r.once(ctx, g, result.Pattern(names))
	if second.Err != nil {
		return first
	}
	return first.mended(second)
}

// mended replaces what tests said when they failed by what they said in the other guest, as far as they passed in it.
func (r report) mended(second report) report {
	var log result.Log
	r.Events = r.Events.Mended(second.Events)
	for _, e := range r.Events {
		log.Add(e)
	}
	r.Counts, r.Failures = log.Counts(), log.Failures()
	r.Took += second.Took
	for _, t := range log.SecondTries() {
		r.Note = strings.TrimPrefix(r.Note+"; second try in a fresh guest: "+t, "; ")
	}
	return r
}
