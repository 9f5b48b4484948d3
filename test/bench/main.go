// SPDX-License-Identifier: Apache-2.0

// Command bench measures what watching costs: beltrace, beside the least that its hooks could cost and beside other tools,
// on short connections that keep every core busy, a flood of SYNs, servers with kept connections, and a ring. It writes
// docs/performance.md.
//
//	sudo go run ./test/bench -quick -parts nginx,redis
//
// Each measurement has one without any tool before and after it; what is reported are ratios of neighbours, as medians
// over the repetitions, between which the order of the tools rotates. The load lives in network namespaces of its own.
// The command starts itself again in other roles: the load, and the tools that are its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// options are the command's flags.
type options struct {
	Quick    bool
	Pairs    int
	For      time.Duration // length of one measurement
	Within   time.Duration // how long it may take to measure again what others disturbed
	Beltrace string        // path of the executable
	Out      string        // path of the document; "": only standard output
	Only     []string      // names of configurations; empty: all
	Parts    []string      // of the bench
}

func main() {
	var o options
	var only, chosen string
	flag.BoolVar(&o.Quick, "quick", false, "three short repetitions, about six minutes for all parts")
	flag.IntVar(&o.Pairs, "pairs", 6, "`number` of repetitions")
	flag.DurationVar(&o.For, "for", 2500*time.Millisecond, "`length` of one measurement")
	flag.DurationVar(&o.Within, "within", 10*time.Minute, "measure again what other processes disturbed, if all ends within this `time`")
	flag.StringVar(&o.Beltrace, "beltrace", "bin/beltrace", "`path` of beltrace")
	flag.StringVar(&o.Out, "o", "docs/performance.md", "`path` of the document to write; empty: none")
	flag.StringVar(&only, "only", "", "only these tools, `names` separated by commas")
	flag.StringVar(&chosen, "parts", strings.Join(parts, ","), "measure only these `parts`, and keep what the document says of the others")
	flag.Parse()
	if o.Quick {
		o.Pairs, o.For, o.Within = 3, time.Second, 0
	}
	o.Parts = strings.Split(chosen, ",")
	if only != "" {
		o.Only = strings.Split(only, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := play(ctx, flag.Args())
	if errors.Is(err, errNoRole) {
		err = bench(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// errNoRole says that this process is the bench itself.
var errNoRole = errors.New("no role")
