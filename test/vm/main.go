// SPDX-License-Identifier: Apache-2.0

// Command vm boots real kernels under QEMU and runs beltrace's kernel tests in them.
//
//	go run ./test/vm -kernel 6.1 -tier kprobe -v
//
// Without flags it runs every kernel with every tier. Kernels are Debian packages, fetched from the mirror that the
// machine's own apt sources name and kept in $BELTRACE_CACHE, or else in /var/cache/beltrace.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"beltrace/test/result"
)

// options are the command's flags.
type options struct {
	Kernel, Arch, Tier string
	Run                string
	Packages           string
	CI, JSON, Verbose  bool
	Jobs               int // guests that run at the same time
	Timeout            time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.Kernel, "kernel", "", "only this kernel: "+strings.Join(kernelNames(), ", "))
	flag.StringVar(&o.Arch, "arch", "", "only this architecture: amd64 or arm64")
	flag.StringVar(&o.Tier, "tier", "", "only this tier: "+strings.Join(tiers, ", "))
	flag.StringVar(&o.Run, "run", "", "only tests whose names match this `regexp`")
	flag.StringVar(&o.Packages, "packages", kernelTests, "packages of the tests, separated by commas")
	flag.BoolVar(&o.CI, "ci", false, "only the guests that CI runs")
	flag.BoolVar(&o.JSON, "json", false, "print the tests' events on stdout, as go test -json does")
	flag.BoolVar(&o.Verbose, "v", false, "show the guests' consoles on stderr")
	flag.IntVar(&o.Jobs, "jobs", min(runtime.NumCPU()*3/2, 4), "how many guests run at the same time; each takes half a CPU and up to 1.5 GB")
	flag.DurationVar(&o.Timeout, "timeout", 40*time.Minute, "longest `time` for one guest")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := runAll(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(1)
	}
}

// runAll runs the chosen guests and sums up. It goes on after a guest that failed.
func runAll(ctx context.Context, o options) error {
	guests, err := choose(matrix(!o.CI), o.Kernel, o.Arch, o.Tier)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "beltrace-vm-")
	if err != nil {
		return fmt.Errorf("make work folder: %w", err)
	}
	defer os.RemoveAll(dir)
	st, err := newStore()
	if err != nil {
		return err
	}
	r := newRunner(o, st, dir)
	var total result.Counts
	failed := 0
	r.runAll(ctx, guests, func(rep report) {
		rep.show(o.JSON)
		total.Add(rep.Counts)
		if rep.failed() {
			failed++
		}
	})
	if ctx.Err() != nil {
		return fmt.Errorf("stopped: %w", ctx.Err())
	}
	if !o.JSON {
		fmt.Printf("%d guests\n%v\n", len(guests), total)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d guests failed", failed, len(guests))
	}
	return nil
}

// report is how a guest went.
type report struct {
	guest
	result.Counts
	Version  string // of the kernel's package
	Kernel   string // what the guest says it runs
	Note     string
	Took     time.Duration
	Err      error
	Events   result.Run
	Failures []string
	Console  []string // its end, if the guest failed
}

func (r report) failed() bool { return r.Err != nil || r.Failed > 0 }

// show prints the guest's line on stderr, what failed below it, and the events on stdout if asked for.
func (r report) show(events bool) {
	w := os.Stderr
	fmt.Fprintf(w, "guest %-5s %s %-10s  %v in %.1f s  [%s, %s]\n",
		r.guest.Kernel.Name, r.Arch, r.Tier, r.Counts, r.Took.Seconds(), r.Version, r.Kernel)
	if r.Note != "" {
		fmt.Fprintln(w, "   ", r.Note)
	}
	for _, f := range r.Failures {
		fmt.Fprint(w, f)
	}
	if r.Err != nil {
		fmt.Fprintf(w, "--- last lines of the console of %v\n", r.guest)
		for _, line := range r.Console {
			fmt.Fprintln(w, "   |", line)
		}
		fmt.Fprintf(w, "guest %v failed: %v\n", r.guest, r.Err)
	}
	if events {
		enc := json.NewEncoder(os.Stdout)
		for _, e := range r.Events {
			if err := enc.Encode(e); err != nil {
				fmt.Fprintln(w, "vm: print events:", err)
				return
			}
		}
	}
}
