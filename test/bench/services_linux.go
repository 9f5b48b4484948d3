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
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// service measures a server under its loads, and returns what the document says of it.
func (s *session) service(ctx context.Context, part string) (string, error) {
	v, err := s.serviceOf(ctx, part)
	if err != nil {
		return "", err
	}
	for _, program := range v.Needs {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Sprintf("## %s\n\nNot measured: %s is not installed.\n", v.Title, program), nil
		}
	}
	v.Head = s.report.head(s.repeats(), s.shorter())
	if err := s.findHalf(ctx, v); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("/dev/shm", "beltrace-bench-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "output")
	for round := range s.repeats() {
		before, err := s.unwatched(ctx, v)
		if err != nil {
			return "", err
		}
		for _, t := range rotated(v.Tools, round) {
			watched, err := s.watched(ctx, v, t, out)
			if err != nil {
				return "", fmt.Errorf("%s: %w", t.Name, err)
			}
			after, err := s.unwatched(ctx, v)
			if err != nil {
				return "", err
			}
			for i, l := range v.Loads {
				s.note(l, t, watched[i], before[i], after[i], round)
			}
			before = after
		}
	}
	err = s.countService(ctx, v, out)
	return v.markdown(), err
}

// findHalf learns how many requests a second there are without a tool, for the loads that need to know.
func (s *session) findHalf(ctx context.Context, v *service) error {
	for _, l := range v.Loads {
		if !l.Half && v.Part != partRedis {
			continue
		}
		r, err := runServed(ctx, serverLoad{v.Part, s.shorter(), 0, 0})
		if err != nil {
			return err
		}
		l.rate = float64(r.Ops) / r.Elapsed.Seconds()
		if l.Half {
			l.rate /= 2
			l.What = fmt.Sprintf("%.0f requests a second are scheduled.", l.rate)
		}
	}
	return nil
}

// unwatched measures all loads without a tool.
func (s *session) unwatched(ctx context.Context, v *service) (out []sample, err error) {
	for _, l := range v.Loads {
		r, err := runServed(ctx, serverLoad{v.Part, s.shorter(), l.rate, 0})
		if err != nil {
			return nil, err
		}
		m := r.sample()
		l.Off = append(l.Off, m)
		out = append(out, m)
	}
	return out, nil
}

// watched measures all loads with a tool.
func (s *session) watched(ctx context.Context, v *service, t tool, path string) (out []sample, err error) {
	run, end, err := s.launch(t, path)
	if err != nil {
		return nil, err
	}
	defer end()
	for i, l := range v.Loads {
		if i == 0 {
			_, err = runServed(ctx, serverLoad{v.Part, servedWarmUp, l.rate, run.cmd.Process.Pid})
		}
		m := sample{}
		if err == nil {
			m, err = s.under(ctx, v, l, run, path)
		}
		if err != nil {
			return nil, fmt.Errorf("%w%s", err, run.words())
		}
		out = append(out, m)
	}
	_, err = run.stop(syscall.SIGTERM)
	return out, err
}

// under measures one load with a tool that is at work.
func (s *session) under(ctx context.Context, v *service, l *load, run *running, path string) (m sample, err error) {
	before, _, err := run.losses(path)
	if err != nil {
		return m, err
	}
	r, err := runServed(ctx, serverLoad{v.Part, s.shorter(), l.rate, run.cmd.Process.Pid})
	if err != nil {
		return m, err
	}
	m = r.sample()
	after, known, err := run.losses(path)
	if err != nil {
		return m, err
	}
	m.Lost, m.Told, m.LostKnown = after.lost-before.lost, after.told-before.told, known
	m.Skipped = (after.skipped - before.skipped) / float64(r.Ops)
	m.RSS, m.Peak, err = run.memory()
	return m, err
}

// shorter is the length of a measurement, repeats their number: there are many more than of short connections.
func (s *session) shorter() time.Duration { return s.For * 3 / 5 }

func (s *session) repeats() int { return (s.Pairs + 1) / 2 }

// servedWarmUp is long enough for beltrace to see that there is more than it can carry.
const servedWarmUp = 3500 * time.Millisecond

// begins is how long a tool is given to begin; bpftrace compiles its script, and takes twice as long.
const begins = time.Second

// launch starts a tool, on a terminal if it is a dashboard, else with its output in a file if that is looked at.
func (s *session) launch(t tool, path string) (*running, func(), error) {
	out, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if t.Lost != nil || t.Count != nil {
		out, err = os.Create(path)
	}
	if t.Dashboard {
		return s.launchBoard(t)
	}
	if err != nil {
		return nil, nil, err
	}
	run, err := start(t, out, nil)
	out.Close()
	if err != nil {
		return nil, nil, err
	}
	time.Sleep(begins)
	if t.Lost != nil {
		time.Sleep(begins)
	}
	return run, run.kill, nil
}

// launchBoard starts a dashboard on a terminal of its own, and types its keys.
func (s *session) launchBoard(t tool) (*running, func(), error) {
	ours, theirs, err := terminal()
	if err != nil {
		return nil, nil, err
	}
	defer theirs.Close()
	if err := unix.IoctlSetWinsize(int(theirs.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 160}); err != nil {
		return nil, nil, errors.Join(err, ours.Close())
	}
	run, err := start(t, theirs, theirs)
	if err != nil {
		return nil, nil, errors.Join(err, ours.Close())
	}
	go func() {
		for buf := make([]byte, 1<<16); ; {
			if _, err := ours.Read(buf); err != nil {
				return
			}
		}
	}()
	end := func() { run.kill(); ours.Close() }
	time.Sleep(begins / 2)
	if _, err := ours.WriteString(t.Keys); err != nil {
		end()
		return nil, nil, err
	}
	time.Sleep(begins / 2)
	return run, end, nil
}

// note keeps a measurement between its neighbours.
func (s *session) note(l *load, t tool, m, before, after sample, round int) {
	m.Off, m.OffRate = (before.CPU+after.CPU)/2, (before.Rate+after.Rate)/2
	m.OffP50, m.OffP99 = (before.P50+after.P50)/2, (before.P99+after.P99)/2
	m.Others = max(before.Others, m.Others, after.Others)
	i := slices.IndexFunc(l.Results, func(r result) bool { return r.Name == t.Name })
	if i < 0 {
		l.Results = append(l.Results, result{tool: t})
		i = len(l.Results) - 1
	}
	l.Results[i].Samples = append(l.Results[i].Samples, m)
	s.say("%d/%d %-24s %-28s CPU × %.2f (%.0f ns, off %.0f, tool %.0f)  rate × %.2f (%.0f)  p50 × %.2f  p99 × %.2f (%.0f µs)  lost %.0f  RSS %.0f MiB  others %.0f %%",
		round+1, s.repeats(), l.Name, t.Name, m.costRatio(), m.CPU, m.Off, m.Tool, m.rateRatio(), m.Rate, m.P50/m.OffP50, m.P99/m.OffP99, m.P99/1e3, m.Lost, m.RSS/(1<<20), 100*m.Others)
}

// countService compares what the tool that counts has counted with what there was, in a run of its own.
func (s *session) countService(ctx context.Context, v *service, path string) error {
	i := slices.IndexFunc(v.Tools, func(t tool) bool { return t.Name == allSets && t.Count != nil })
	if i < 0 {
		return nil
	}
	for _, l := range v.Loads {
		t := v.Tools[i]
		if v.Part == partNginx { // its end of the connections alone: how many of the turns belong to one request is known
			t.Argv = append(slices.Clone(t.Argv), "--comm", nginx)
		}
		run, end, err := s.launch(t, path)
		if err != nil {
			return err
		}
		time.Sleep(begins)
		r, err := runServed(ctx, serverLoad{v.Part, s.shorter(), l.rate, run.cmd.Process.Pid})
		if err != nil {
			end()
			return err
		}
		time.Sleep(time.Second)
		if _, err := run.stop(syscall.SIGINT); err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if l.Done = uint64(r.All); l.Done == 0 {
			continue
		}
		if l.Seen, err = v.Tools[i].Count(text); err != nil {
			return err
		}
		s.say("count %-24s told %d of %d", l.Name, l.Seen, l.Done)
	}
	return nil
}

// sample turns what was counted into what it was for one request.
func (r served) sample() sample {
	n := float64(r.Ops)
	m := sample{
		CPU: float64(r.CPU+r.Tool) / n, Tool: float64(r.Tool) / n, Rate: n / r.Elapsed.Seconds(),
		P50: float64(r.P50), P99: float64(r.P99),
	}
	if r.Machine > 0 {
		m.Others = max(0, 1-float64(r.CPU+r.Tool)/float64(r.Machine))
	}
	return m
}

// runServed runs a load in a session and a network namespace of its own.
func runServed(ctx context.Context, l serverLoad) (r served, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, self, roleLoad, l.kind, l.length.String(), strconv.FormatFloat(l.rate, 'f', -1, 64), strconv.Itoa(l.tool))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNET}
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("load: %w %s", err, bytes.TrimSpace(words.Bytes()))
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return r, fmt.Errorf("load: %w", err)
	}
	if r.Ops == 0 {
		return r, errors.New("load: nothing was answered")
	}
	time.Sleep(drainTime) // its network namespace is taken down
	return r, nil
}
