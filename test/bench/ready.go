// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// readyRuns is how often the program runs for one value.
const readyRuns = 200_000

// readySample is what a call of the program at ep_poll_callback takes, in ns by the kernel's statistics.
type readySample struct {
	Empty   float64 // a program that does nothing: what the statistics themselves take
	Others  float64 // on its epoll instance no watched loop waits
	Unasked float64 // what comes is not asked for
	Counted float64
}

const readyIntro = `## Descriptors that become ready

%s: %d repetitions.

The program at ` + "`ep_poll_callback`" + ` (the set ` + "`ready`" + `), which runs for each packet to a socket of an epoll instance, of any process of the host, while
somebody looks at a loop, or what a filter selects is recorded. This kernel has no hook at functions: the program is run %d times by BPF_PROG_TEST_RUN, with an item of a real
instance. Given is the time of a call by the kernel's statistics (BPF_ENABLE_STATS). What the trampoline of a fentry takes comes
to it, or a kprobe's trap, and what memory takes that is not in the cache.

| | ns a call | without what an empty program takes, ns |
|---|---|---|
`

// ready is the section about it.
func (r *report) ready() string {
	var b strings.Builder
	fmt.Fprintf(&b, readyIntro, r.where(), r.Pairs, readyRuns)
	row := func(name string, number func(readySample) float64) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, spreadOf(r.Ready, number).text("%.0f"), spreadOf(r.Ready, func(s readySample) float64 { return number(s) - s.Empty }).text("%.0f"))
	}
	row("a program that does nothing", func(s readySample) float64 { return s.Empty })
	row("an instance on which no watched loop waits", func(s readySample) float64 { return s.Others })
	row("one of a watched loop that does not ask for what comes", func(s readySample) float64 { return s.Unasked })
	row("one of a watched loop: it is counted", func(s readySample) float64 { return s.Counted })
	return b.String()
}
