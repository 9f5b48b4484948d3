// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// bench measures everything and writes the document.
func bench(ctx context.Context, o options) error {
	if os.Geteuid() != 0 {
		return errors.New("not root: the tools load programs into the kernel, the load has a network namespace")
	}
	for _, part := range o.Parts {
		if !slices.Contains(parts, part) {
			return fmt.Errorf("no part %q: there are %s", part, strings.Join(parts, ", "))
		}
	}
	b, err := newSession(ctx, o)
	if err != nil {
		return err
	}
	fresh := map[string]string{}
	for _, part := range o.Parts {
		if fresh[part], err = b.part(ctx, part); err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
		fmt.Print(fresh[part], "\n")
	}
	if o.Out == "" {
		return nil
	}
	old, err := os.ReadFile(o.Out)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.WriteFile(o.Out, []byte(document(string(old), fresh)), 0o644)
}

// part measures a part and returns its section of the document.
func (s *session) part(ctx context.Context, part string) (string, error) {
	switch part {
	case partConnections:
		for _, step := range []func(context.Context) error{s.startUps, s.pairs, s.counts} {
			if err := step(ctx); err != nil {
				return "", err
			}
		}
		return s.report.connections(), nil
	case partFlood:
		err := s.floods(ctx)
		return s.report.floods(), err
	case partReady:
		err := s.ready()
		return s.report.ready(), err
	case partFunctions:
		err := s.functions(ctx)
		return s.report.functions(), err
	}
	return s.service(ctx, part)
}

// finish is the time that is left for what comes after the measurements.
const finish = 100 * time.Second

// session is one run of the bench.
type session struct {
	options
	tools  []*result
	report *report
	until  time.Time // when nothing is measured again any more
}

func newSession(ctx context.Context, o options) (*session, error) {
	tools, leftOut, tier, err := toolbox(ctx, o)
	if err != nil {
		return nil, err
	}
	s := &session{options: o, until: time.Now().Add(o.Within - finish), report: &report{Machine: thisMachine(), Tier: string(tier), LeftOut: leftOut, Length: o.For, Pairs: o.Pairs}}
	for _, t := range tools {
		s.tools = append(s.tools, &result{tool: t})
	}
	return s, nil
}

// say tells on stderr how far it is.
func (s *session) say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// startUps starts and stops each tool often enough. One of the others that does not work here is left out.
func (s *session) startUps(ctx context.Context) error {
	for round := range s.Pairs {
		for _, r := range rotated(s.tools, round) {
			err := r.startUp(ctx)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil && r.own() {
				return err
			}
			if err != nil {
				s.report.LeftOut = append(s.report.LeftOut, fmt.Sprintf("%s does not work here: %v", r.Name, err))
				s.tools = slices.DeleteFunc(s.tools, func(other *result) bool { return other == r })
				continue
			}
			s.say("%d/%d start  %-22s first event %.2f s, exit %.3f s", round+1, s.Pairs, r.Name, r.First[len(r.First)-1], r.Exit[len(r.Exit)-1])
		}
	}
	return nil
}

// own reports whether the tool is ours: it has to work.
func (t tool) own() bool { return !slices.Contains([]string{bpftrace, tcplife, tcpstates}, t.Name) }

// pairs measures each tool between two measurements without one.
func (s *session) pairs(ctx context.Context) error {
	for round := range s.Pairs {
		before, err := s.off(ctx)
		if err != nil {
			return err
		}
		for _, r := range rotated(s.tools, round) {
			m, after, err := s.pair(ctx, r, before)
			if err != nil {
				return err
			}
			r.Samples = append(r.Samples, m)
			before = after
		}
	}
	if err := s.calm(ctx); err != nil {
		return err
	}
	for _, r := range s.tools {
		s.report.Tools = append(s.report.Tools, *r)
	}
	return nil
}

// pair measures a tool, and the load alone after it.
func (s *session) pair(ctx context.Context, r *result, before sample) (m, after sample, err error) {
	if m, err = r.measure(ctx, s.For); err != nil {
		return m, after, err
	}
	if after, err = s.off(ctx); err != nil {
		return m, after, err
	}
	m.Off, m.OffRate = (before.CPU+after.CPU)/2, (before.Rate+after.Rate)/2
	m.Others = max(before.Others, m.Others, after.Others)
	s.say("load   %-22s %6.1f µs a connection (%.1f in the tool), off %.1f; %.0f/s, off %.0f/s; others %.0f %%", r.Name,
		m.CPU/1e3, m.Tool/1e3, m.Off/1e3, m.Rate, m.OffRate, 100*m.Others)
	return m, after, nil
}

// calm measures again what other processes disturbed most, as long as there is time. Which of two measurements is kept
// depends on the disturbance alone.
func (s *session) calm(ctx context.Context) error {
	for time.Now().Before(s.until) {
		var worst *sample
		var of *result
		for _, r := range s.tools {
			for i := range r.Samples {
				if m := &r.Samples[i]; worst == nil || m.Others > worst.Others {
					worst, of = m, r
				}
			}
		}
		if worst == nil || worst.Others <= quiet {
			return nil
		}
		before, err := s.off(ctx)
		if err != nil {
			return err
		}
		m, _, err := s.pair(ctx, of, before)
		if err != nil {
			return err
		}
		if m.Others < worst.Others {
			*worst = m
		}
	}
	return nil
}

func (s *session) off(ctx context.Context) (sample, error) {
	l, err := runLoad(ctx, s.For, 0)
	if err != nil {
		return sample{}, err
	}
	time.Sleep(drainTime) // its network namespace is taken down
	m := l.sample(0)
	s.report.Off = append(s.report.Off, m)
	return m, nil
}

// counts compares what the tools saw with what there was.
func (s *session) counts(ctx context.Context) error {
	dir, err := os.MkdirTemp("/dev/shm", "beltrace-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for round := range (s.Pairs + 1) / 2 {
		for i := range s.report.Tools {
			r := &s.report.Tools[i]
			if r.tool.Count == nil {
				continue
			}
			if err := r.count(ctx, s.For, dir); err != nil {
				return err
			}
			s.say("%d count  %-22s saw %d of %d", round+1, r.Name, r.Seen, r.Sent)
		}
	}
	return nil
}

// functions runs the benchmarks of Go functions once.
func (s *session) functions(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", ".", "-benchmem", "-benchtime", "200ms", "./collector/...", "./demos/demo")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go test -bench: %w\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "Benchmark") {
			s.report.Functions = append(s.report.Functions, strings.TrimSpace(line))
		}
	}
	return nil
}

// thisMachine names the machine: processor, cores, kernel.
func thisMachine() string {
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		kernel = []byte("of unknown version")
	}
	return describe(model, strings.TrimSpace(string(kernel)))
}
