// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"beltrace/collector"
	"beltrace/collector/event"
	"beltrace/collector/insight"
	"beltrace/collector/live"
	"beltrace/collector/model"
	"beltrace/collector/probes"
	"beltrace/collector/procinfo"
	"beltrace/collector/record"
)

// session is the kernel, being watched.
type session struct {
	*live.Session
	header record.Header // the same facts as a recording has them
	say    func(format string, args ...any)
}

// open attaches what the configuration asks for.
func (a *app) open(ctx context.Context, c live.Config, verbose bool) (*session, error) {
	s, err := live.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	if verbose {
		explainProbes(a.err, s.Info())
	}
	h := headerOf(s.Info())
	if c.Partial() {
		h.Watch = string(insight.Part)
	}
	return &session{s, h, a.say}, nil
}

// watch returns a run over this session.
func (s *session) watch() *watch {
	info := s.Info()
	opt := optionsOf(s.header)
	opt.Filters, opt.Sets = info.Filters, info.Sets
	opt.Process = procinfo.New().Process
	opt.Detail = s.Detail
	return &watch{
		Feed: newLiveFeed(s.Session), Model: collector.New(opt), Cost: s.Cost, Sets: s.Sets, Sampling: s.Sampling, Now: monotonic,
		Lingers: s.sayDetaching,
	}
}

// sayDetaching says why the end takes long. To take a program from a tracepoint the kernel waits until no task can be inside it
// (synchronize_rcu, synchronize_rcu_tasks_trace): milliseconds, but seconds where tasks wait long for a CPU.
func (s *session) sayDetaching() {
	s.say("still detaching: the kernel waits until nobody can be inside a probe, which takes long on a busy machine")
}

// needSet attaches a set of probes for some seconds.
func (s *session) needSet(set string) { s.Need(probes.Set(set)) }

// watching is the line that says that everything is attached. what: "" names the filters.
func (s *session) watching(what string) string {
	info := s.Info()
	if what == "" {
		what = strings.Join(strings.Fields(strings.ReplaceAll(strings.Join(info.Filters, " "), "--", "")), " ")
	}
	if what == "" {
		what = "the whole host"
	}
	on, unknown := 0, 0
	for _, p := range info.Probes {
		switch {
		case p.Hook != nil:
			on++
		case p.Idle == "":
			unknown++
		}
	}
	line := fmt.Sprintf("watching %s (tier %s, %d probes", what, info.Tier, on)
	if unknown > 0 {
		line += fmt.Sprintf(", %d unknown", unknown)
	}
	return line + ")"
}

// hookName names a hook for people and recordings.
func hookName(h *probes.Hook) string {
	if h == nil {
		return ""
	}
	return strings.TrimSpace(string(h.How) + " " + h.At)
}

// headerOf returns what a recording of this session says about it.
func headerOf(i live.Info) record.Header {
	h := record.Header{
		Kernel: i.Kernel, Arch: i.Arch, Tier: string(i.Tier), Host: i.Host, BootOffset: i.BootOffset, Start: i.Start,
		Probes: map[string]record.Probe{}, Facts: map[string]string{},
	}
	for _, p := range i.Probes {
		h.Probes[p.Probe.Name] = record.Probe{Hook: hookName(p.Hook), Fidelity: string(fidelity(p.Hook))}
		for _, fact := range p.Probe.Facts {
			if f := probes.Fact(p.Hook, fact); f != model.Unknown || h.Facts[fact] == "" {
				h.Facts[fact] = string(f)
			}
		}
	}
	return h
}

func fidelity(h *probes.Hook) model.Fidelity {
	if h == nil {
		return model.Unknown
	}
	return h.Fidelity
}

// optionsOf returns what a collector has to know of the header.
func optionsOf(h record.Header) collector.Options {
	o := collector.Options{
		Host: h.Host, Kernel: h.Kernel, Arch: h.Arch, Tier: h.Tier, WallOffset: h.BootOffset, Start: h.Start,
		Probes: map[string]model.ProbeStatus{}, Facts: map[string]model.Fidelity{}, Watch: insight.Watch(h.Watch),
	}
	for name, p := range h.Probes {
		o.Probes[name] = model.ProbeStatus{Hook: p.Hook, Fidelity: model.Fidelity(p.Fidelity)}
	}
	for name, f := range h.Facts {
		o.Facts[name] = model.Fidelity(f)
	}
	return o
}

// explainProbes says how each probe is attached, and with all detail why better hooks failed.
func explainProbes(w io.Writer, i live.Info) {
	for _, p := range i.Probes {
		switch {
		case p.Hook != nil:
			fmt.Fprintf(w, "probe %s: %s (%s)\n", p.Probe.Name, hookName(p.Hook), p.Hook.Fidelity)
		case p.Idle != "":
			fmt.Fprintf(w, "probe %s: off: %s\n", p.Probe.Name, p.Idle)
		default:
			fmt.Fprintf(w, "probe %s: no hook works\n", p.Probe.Name)
		}
		for _, f := range p.Failed {
			fmt.Fprintf(w, "  not %s: %+v\n", hookName(f.Hook), f.Err)
		}
	}
}

var _ event.Source = (*live.Session)(nil)
