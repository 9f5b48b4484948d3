// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

const (
	warmUp    = 1200 * time.Millisecond // beltrace learns the price of its hooks in its first second under load
	drainTime = 300 * time.Millisecond  // after a load, for what is still in buffers
	settle    = 300 * time.Millisecond  // after a tool's first event, and before it is stopped
	trickle   = time.Millisecond        // between connections while a tool starts
	firstWait = 15 * time.Second        // longest time to a tool's first event
)

// startUp starts the tool on a terminal while few connections are made, and notes the time to its first event, and to
// its end after SIGTERM.
func (r *result) startUp(ctx context.Context) error {
	ours, theirs, err := terminal()
	if err != nil {
		return err
	}
	defer theirs.Close()
	defer ours.Close()
	ctx, stopLoad := context.WithCancel(ctx)
	load := make(chan error, 1)
	go func() { _, err := runLoad(ctx, time.Minute, trickle); load <- err }()
	defer func() { stopLoad(); <-load }()
	time.Sleep(settle)

	first := make(chan time.Time, 1)
	go watchFor(ours, r.begun(), first)
	began := time.Now()
	run, err := start(r.tool, theirs, theirs)
	if err != nil {
		return err
	}
	defer run.kill()
	select {
	case at := <-first:
		r.First = append(r.First, at.Sub(began).Seconds())
	case <-run.ended:
		return fmt.Errorf("%s: %s", r.Name, run.cmd.ProcessState)
	case err := <-load:
		load <- err
		return err
	case <-time.After(firstWait):
		return fmt.Errorf("%s: nothing to see after %v", r.Name, firstWait)
	}
	time.Sleep(settle)
	exit, err := run.stop(syscall.SIGTERM)
	r.Exit = append(r.Exit, exit.Seconds())
	return err
}

// begun is what the tool shows when it has begun.
func (t tool) begun() *regexp.Regexp {
	if t.Ready != "" {
		return regexp.MustCompile(regexp.QuoteMeta(t.Ready))
	}
	return regexp.MustCompile(`\b` + strconv.Itoa(loadPort) + `\b`)
}

// watchFor reads lines until the file is closed and tells when the first one came that matches.
func watchFor(f *os.File, what *regexp.Regexp, first chan<- time.Time) {
	seen := false
	for lines := bufio.NewReader(f); ; {
		line, err := lines.ReadSlice('\n')
		if !seen && what.Match(line) {
			seen = true
			first <- time.Now()
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// begin starts the tool and waits until it watches. How long that takes is known from startUp: with its output in a
// file there is nothing to see of it.
func (r *result) begin(stdout *os.File) (*running, error) {
	run, err := start(r.tool, stdout, nil)
	if err != nil {
		return nil, err
	}
	longest := spreadOf(r.First, same).Max
	time.Sleep(time.Duration(longest*float64(time.Second)) + settle)
	return run, nil
}

// measure measures the load with the tool once. Off and OffRate are left to the caller.
func (r *result) measure(ctx context.Context, length time.Duration) (sample, error) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return sample{}, err
	}
	defer null.Close()
	run, err := r.begin(null)
	if err != nil {
		return sample{}, err
	}
	defer run.kill()
	if _, err := runLoad(ctx, warmUp, 0); err != nil {
		return sample{}, err
	}
	time.Sleep(drainTime)
	before, err := run.cpu()
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w%s", r.Name, err, run.words())
	}
	load, err := runLoad(ctx, length, 0)
	if err != nil {
		return sample{}, err
	}
	time.Sleep(drainTime)
	after, err := run.cpu()
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w%s", r.Name, err, run.words())
	}
	s := load.sample(after - before)
	if s.RSS, s.Peak, err = run.memory(); err != nil {
		return sample{}, err
	}
	_, err = run.stop(syscall.SIGTERM)
	return s, err
}

// sample turns a load, with the CPU time of a tool, into what it was for one connection.
func (l loadRun) sample(tool time.Duration) sample {
	n := float64(l.Connections)
	s := sample{
		CPU: float64(l.CPU+tool) / n, Tool: float64(tool) / n, Rate: n / l.Elapsed.Seconds(),
	}
	if l.Machine > 0 {
		s.Others = max(0, 1-float64(l.CPU+tool)/float64(l.Machine))
	}
	return s
}

// count runs the load once, keeps the tool's output and counts what it saw; a shorter load if that was too much for it to
// tell exactly.
func (r *result) count(ctx context.Context, length time.Duration, dir string) error {
	for {
		made, text, err := r.keep(ctx, length, dir)
		if err != nil {
			return err
		}
		seen, err := r.tool.Count(text)
		if errors.Is(err, errRounded) && length > time.Millisecond {
			length /= 2
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
		r.Seen += seen
		r.Sent += uint64(made) * r.Per
		return nil
	}
}

// keep runs the load once and returns how many connections it made, and the tool's output.
func (r *result) keep(ctx context.Context, length time.Duration, dir string) (int, []byte, error) {
	out, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		return 0, nil, err
	}
	defer out.Close()
	run, err := r.begin(out)
	if err != nil {
		return 0, nil, err
	}
	defer run.kill()
	load, err := runLoad(ctx, length, 0)
	if err != nil {
		return 0, nil, err
	}
	time.Sleep(time.Second)                             // also the slowest have printed everything
	if _, err := run.stop(syscall.SIGINT); err != nil { // as Ctrl-C: at SIGTERM some forget what they have buffered
		return 0, nil, err
	}
	text, err := os.ReadFile(out.Name())
	return load.Connections, text, err
}
