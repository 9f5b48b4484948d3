// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"beltrace/test/result"
)

// kernelTests are the packages whose tests need a kernel; smoke comes first, so that a broken guest is told from a
// broken beltrace.
const kernelTests = "./test/vm/smoke,./collector/live,./test/truth"

// consoleLines is how much of a failed guest's console is shown.
const consoleLines = 60

// once runs the tests that match in one guest.
func (r *runner) once(ctx context.Context, g guest, tests string) report {
	ctx, cancel := context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("not done after %v", r.Timeout))
	defer cancel()
	rep := report{guest: g, Version: "?", Kernel: "?"}
	started := time.Now()
	con, err := r.boot(ctx, g, tests, &rep)
	rep.Took = time.Since(started)
	rep.Kernel = con.Kernel
	rep.collect(context.WithoutCancel(ctx), con) // what a guest said before its time was up counts
	rep.Err = errors.Join(err, rep.verdict(con))
	if rep.Err != nil {
		rep.Console = con.Lines[max(0, len(con.Lines)-consoleLines):]
		rep.fail(rep.Err)
	}
	return rep
}

// boot fetches and builds what the guest needs and runs it to its end.
func (r *runner) boot(ctx context.Context, g guest, tests string, rep *report) (console, error) {
	img, p, err := r.parts(ctx, g)
	if err != nil {
		return console{}, err
	}
	rep.Version, rep.Note = img.Version, img.Note
	args := []string{"-test.v=test2json", "-test.timeout=" + (r.Timeout - r.Timeout/10).String()}
	if tests != "" {
		args = append(args, "-test.run="+tests)
	}
	// To collect garbage less often saves a fifth of the CPU: a session reads the kernel's types each time that it opens.
	env := []string{"BELTRACE_GUEST=1", "BELTRACE_TIER=" + g.Tier, "BELTRACE_BIN=/bin/beltrace", "GOGC=400"}
	if !g.best() {
		env = append(env, "BELTRACE_LOWER_TIER=1")
	}
	initramfs := filepath.Join(r.dir, strings.ReplaceAll("initramfs "+g.String(), " ", "-"))
	if err := writeInitramfs(ctx, initramfs, img, p, env, args); err != nil {
		return console{}, err
	}
	defer os.Remove(initramfs)
	watch := func(string) {}
	if r.Verbose {
		watch = func(line string) { fmt.Fprintf(os.Stderr, "%v | %s\n", g, line) }
	}
	return boot(ctx, g.Arch, img.Vmlinuz, initramfs, watch)
}

// goBuild builds a static binary for a guest.
func goBuild(ctx context.Context, arch, verb, out string, args ...string) error {
	args = append([]string{verb, "-tags=guest", "-ldflags=-w", "-o", out}, args...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, text)
	}
	return nil
}

// collect turns the console's test sections into events and counts them.
func (r *report) collect(ctx context.Context, con console) {
	var log result.Log
	for _, s := range con.sections() {
		pkg := fmt.Sprintf("guest/%s/%s/%s/%s", r.guest.Kernel.Name, r.Arch, r.Tier, s.Name)
		cmd := exec.CommandContext(ctx, "go", "tool", "test2json", "-t", "-p", pkg)
		cmd.Stdin = strings.NewReader(strings.Join(s.Lines, "\n") + "\n")
		out, err := cmd.Output()
		if err != nil {
			r.Failures = append(r.Failures, fmt.Sprintf("--- read results of %s: %v\n", pkg, err))
			r.fail(err)
			continue
		}
		for line := range bytes.Lines(out) {
			var e result.Event
			if json.Unmarshal(line, &e) == nil {
				log.Add(e)
				r.Events = append(r.Events, e)
			}
		}
	}
	for _, e := range log.Unfinished() {
		log.Add(e)
		r.Events = append(r.Events, e)
	}
	r.Counts = log.Counts()
	r.Failures = append(r.Failures, log.Failures()...)
}

// verdict says what is wrong with a guest apart from its failed tests. Only the last line of /init counts.
func (r *report) verdict(con console) error {
	switch {
	case con.Exit < 0:
		return errors.New("the guest ended without saying a result")
	case con.Exit > 0 && r.Failed == 0:
		return fmt.Errorf("the guest says exit %d, yet no test failed", con.Exit)
	case con.Exit == 0 && r.Passed == 0:
		return errors.New("no test ran in the guest")
	}
	return nil
}

// fail adds an event for a failure that no test stands for.
func (r *report) fail(err error) {
	pkg := fmt.Sprintf("guest/%s/%s/%s", r.guest.Kernel.Name, r.Arch, r.Tier)
	r.Events = append(r.Events,
		result.Event{Action: "output", Package: pkg, Output: err.Error() + "\n"},
		result.Event{Action: "fail", Package: pkg})
}

// section is what one test binary printed.
type section struct {
	Name  string
	Lines []string
}

// sections cuts the console at the lines in which /init says that a test binary begins or ends.
func (c console) sections() []section {
	var all []section
	inside := false
	for _, line := range c.Lines {
		rest, ours := strings.CutPrefix(line, "guest: ")
		word, rest, _ := strings.Cut(rest, " ")
		switch {
		case ours && word == "begin":
			_, name, _ := strings.Cut(rest, "-")
			all, inside = append(all, section{Name: name}), true
		case ours && word == "end" && inside:
			inside = false
		case inside:
			all[len(all)-1].Lines = append(all[len(all)-1].Lines, line)
		}
	}
	return all
}
