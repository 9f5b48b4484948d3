// SPDX-License-Identifier: Apache-2.0

// Command suite is `make test`: it runs every test that this machine can run, says what it left out and why, and ends
// with the plain line "N passed, N failed, N skipped". It exits 1 if anything failed.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"beltrace/test/result"
)

func main() {
	var o options
	flag.DurationVar(&o.Fuzz, "fuzz", 0, "how `long` each fuzz test runs; 0 leaves them out")
	flag.StringVar(&o.Run, "run", "", "only the tests that match this `regexp`")
	flag.Func("packages", "only the tests of these `packages`", func(s string) error {
		o.Packages = strings.Fields(s)
		return nil
	})
	flag.BoolVar(&o.Guests, "guests", true, "run the kernel tests in guests too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &suite{out: os.Stdout, skips: map[string]int{}}
	for _, st := range stages(o) {
		if ctx.Err() == nil {
			s.run(ctx, st)
		}
	}
	if ctx.Err() != nil {
		s.fail("stopped before the end")
	}
	if o.some() && s.total == (result.Counts{}) {
		s.fail("there is no such test")
	}
	s.close()
	if s.total.Failed > 0 {
		os.Exit(1)
	}
}

// options are the command's flags.
type options struct {
	Fuzz     time.Duration
	Guests   bool
	Run      string   // a regexp as of go test; empty: all tests
	Packages []string // as of go list; empty: all
}

// some reports whether only some tests were asked for.
func (o options) some() bool {
	return o.Run != "" || len(o.Packages) > 0
}

// stage is a part of the suite: commands that print events of `go test -json`, or the reason why it is left out.
type stage struct {
	Name     string
	Commands func(context.Context) ([][]string, error)
	LeftOut  string // if not empty, the stage does not run
	Jobs     int    // commands that run at the same time; 0: 1

	// Again, if set, returns the command of a second try of what failed, or nil if it is to stay failed.
	Again func(argv []string, first result.Run) []string
}

// suite sums up over the stages.
type suite struct {
	mu       sync.Mutex // guards what follows while commands run
	out      io.Writer
	total    result.Counts
	skips    map[string]int
	leftOut  []string
	problems []string
	second   []string // what passed in a second try only
}

// run runs a stage and adds its results.
func (s *suite) run(ctx context.Context, st stage) {
	if st.LeftOut != "" {
		s.leftOut = append(s.leftOut, st.Name+": "+st.LeftOut)
		return
	}
	fmt.Fprintf(s.out, "\n== %s\n", st.Name)
	commands, err := st.Commands(ctx)
	if err != nil {
		s.fail(fmt.Sprintf("%s: %v", st.Name, err))
		return
	}
	var counts result.Counts
	var wg sync.WaitGroup
	free := make(chan struct{}, max(1, st.Jobs))
	started := time.Now()
	for _, argv := range commands {
		free <- struct{}{}
		wg.Go(func() {
			run, err := s.tries(ctx, st, argv)
			s.mu.Lock()
			counts.Add(s.sum(argv, run, err))
			s.mu.Unlock()
			<-free
		})
	}
	wg.Wait()
	s.total.Add(counts)
	fmt.Fprintf(s.out, "%s: %v in %.0f s\n", st.Name, counts, time.Since(started).Seconds())
}

// tries runs one command, and what failed of it again if the stage asks for it.
func (s *suite) tries(ctx context.Context, st stage, argv []string) (result.Run, error) {
	run, err := s.command(ctx, argv)
	if err == nil || st.Again == nil || ctx.Err() != nil {
		return run, err
	}
	again := st.Again(argv, run)
	if again == nil {
		return run, err
	}
	s.printf("second try: %s\n", strings.Join(again, " "))
	second, _ := s.command(ctx, again) // what does not pass in it stays failed
	run = run.Mended(second)
	if len(run.Failed()) == 0 {
		err = nil
	}
	return run, err
}

// command runs one command and returns its events.
func (s *suite) command(ctx context.Context, argv []string) (result.Run, error) {
	log := result.Log{Ended: s.packageEnded}
	var run result.Run
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it stops what it started
	cmd.WaitDelay = 10 * time.Second
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		log.Each = func(e result.Event) { run = append(run, e) }
		err = log.Read(out, func(line string) { s.printf("%s", line) })
		if waited := cmd.Wait(); err == nil {
			err = waited
		}
	}
	return run, err
}

// sum adds up and shows what one command brought. One that fails while no test did counts as one failure.
func (s *suite) sum(argv []string, run result.Run, err error) result.Counts {
	var log result.Log
	for _, e := range run {
		log.Add(e)
	}
	for _, f := range log.Failures() {
		fmt.Fprintln(s.out, f)
	}
	for why, n := range log.Skips() {
		s.skips[why] += n
	}
	s.second = append(s.second, log.SecondTries()...)
	counts := log.Counts()
	if err != nil && counts.Failed == 0 {
		s.problems = append(s.problems, fmt.Sprintf("%s: %v", strings.Join(argv, " "), err))
		counts.Failed++
	}
	return counts
}

func (s *suite) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, format, args...)
}

// packageEnded shows progress; packages without tests are not worth a line.
func (s *suite) packageEnded(e result.Event) {
	if e.Action == "skip" {
		return
	}
	word := map[string]string{"pass": "ok  ", "fail": "FAIL"}[e.Action]
	seconds := 0.0
	if e.Elapsed != nil {
		seconds = *e.Elapsed
	}
	s.printf("%s %-40s %6.1f s\n", word, e.Package, seconds)
}

// fail notes a failure that no test stands for.
func (s *suite) fail(what string) {
	s.problems = append(s.problems, what)
	s.total.Failed++
}

// close prints what was left out, what went wrong outside of tests, and the closing line.
func (s *suite) close() {
	fmt.Fprintln(s.out)
	for _, p := range s.problems {
		fmt.Fprintln(s.out, "failed:", p)
	}
	for _, l := range s.leftOut {
		fmt.Fprintln(s.out, "left out:", l)
	}
	for _, t := range s.second {
		fmt.Fprintln(s.out, "passed in a second try:", t)
	}
	for _, why := range slices.Sorted(maps.Keys(s.skips)) {
		fmt.Fprintf(s.out, "skipped %d: %s\n", s.skips[why], why)
	}
	fmt.Fprintln(s.out, s.total)
}
