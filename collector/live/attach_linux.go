// SPDX-License-Identifier: Apache-2.0

package live

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"beltrace/collector/event"
	"beltrace/collector/probes"
	"beltrace/internal/gofunc"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

var errAboveTier = errors.New("not tried: above the forced tier")

// attachProbe tries the hooks of a probe in turn.
func (s *Session) attachProbe(p *probes.Probe, c Config) ProbeInfo {
	info := ProbeInfo{Probe: p}
	if info.Idle = s.idle(p, c); info.Idle != "" {
		return info
	}
	for i := range p.Hooks {
		h := &p.Hooks[i]
		a, err := s.tryHook(p, h, c)
		if err != nil {
			info.Failed = append(info.Failed, HookError{h, err})
			continue
		}
		s.hooks[p.Name] = a
		info.Hook = h
		s.decoder.countsCalls = s.hooks[probes.ThreadCalls] != nil
		break
	}
	return info
}

// idle says why a probe is left out, or nothing.
func (s *Session) idle(p *probes.Probe, c Config) string {
	switch p.Name {
	case probes.Children:
		if !c.byProcess() {
			return "no filter by process"
		}
	case probes.Group:
		if c.Members == nil {
			return "no filter by container"
		}
	case probes.FirstAccept:
		a := s.hooks[probes.Accept]
		if a != nil && (a.hook.How == probes.ClassicTP || a.hook.How == probes.TPBTF) {
			return "the accept probe sees them itself"
		}
	case probes.Latency:
		if !slices.Contains(c.Moves, event.Read) && !slices.Contains(c.Moves, event.Write) {
			return "single calls are not asked for"
		}
	case probes.ThreadCalls:
		if !slices.Contains(c.Want, p.Set) {
			return "nobody wants it"
		}
	case probes.Mark:
		if len(c.Marks) == 0 {
			return "no cooperating server"
		}
	}
	return ""
}

func (s *Session) tryHook(p *probes.Probe, h *probes.Hook, c Config) (*attached, error) {
	if c.Tier != "" && c.Tier.Worse(h.Needs) != h.Needs {
		return nil, errAboveTier
	}
	if err := s.fits(h); err != nil {
		return nil, err
	}
	a := &attached{hook: h, set: p.Set}
	if h.Switch != "" {
		return a, s.switchOn(h.Switch)
	}
	if len(h.Progs) == 0 {
		return a, nil
	}
	progs, err := s.loader.load(h.Progs)
	if err != nil {
		return nil, err
	}
	a.progs = progs
	if err := s.loadCopies(a); err != nil {
		return nil, err
	}
	if p.Name == probes.FirstAccept {
		return a, nil // attached when there is somebody to wait for
	}
	if !c.alwaysOn(p.Set) { // attached when somebody needs it: then there is no other hook to try
		return a, s.tryLater(a, c)
	}
	if err := s.attachHook(a, c); err != nil {
		return nil, err
	}
	return a, nil
}

// tryLater reports whether a hook that is to be attached later can be. Typed tracepoints can if their programs are loaded;
// for system calls it is enough that they have a tracepoint: to attach there slows down every process for a moment.
func (s *Session) tryLater(a *attached, c Config) error {
	switch how := a.hook.How; {
	case how == probes.Fentry && attachesOnce(s.info.Kernel): // to try would be the one time
	case how == probes.Fentry, how == probes.KprobeMech:
		err := s.attachHook(a, c)
		a.detach()
		return err
	case how == probes.ClassicTP:
		for _, name := range a.hook.Progs {
			_, at, _ := strings.Cut(s.loader.spec.Programs[name].SectionName, "/")
			group, point, ok := strings.Cut(at, "/")
			if !ok {
				continue
			}
			if _, err := tracepointID(group, point); err != nil {
				return err
			}
		}
	}
	return nil
}

// attachesOnce reports whether a program of a function cannot be attached again once it was detached: before 5.13
// (f3a95075549e).
func attachesOnce(release string) bool {
	major, minor, ok := version(release)
	return ok && (major < 5 || major == 5 && minor < 13)
}

// attachHook attaches the programs of a hook and their further copies.
func (s *Session) attachHook(a *attached, c Config) error {
	if err := s.attachPrograms(a, a.progs, a.hook.Progs, c); err != nil {
		return err
	}
	for i, copies := range a.copies {
		for _, p := range copies {
			if err := s.attachPrograms(a, []*ebpf.Program{p}, []string{copyOf(a.hook.Progs[i])}, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// attachPrograms attaches the programs of a hook; if one cannot be, the hook is closed.
func (s *Session) attachPrograms(a *attached, progs []*ebpf.Program, names []string, c Config) error {
	for i, prog := range progs {
		links, err := attach(prog, s.loader.spec.Programs[names[i]], s.maps, c)
		a.links = append(a.links, links...)
		if err != nil {
			a.close()
			return err
		}
	}
	return nil
}

// switchOn sets a variable of the programs, if the state probe's program is the one that heeds it.
func (s *Session) switchOn(name string) error {
	state := s.hooks[probes.State]
	if state == nil || state.hook.Progs[0] != "set_state" {
		return errors.New("needs socket storage in tracing programs (5.15)")
	}
	return s.loader.variables[name].Set(true)
}

// attach attaches one program where its section says. Iterators are opened per read: theirs is a link too.
func attach(prog *ebpf.Program, spec *ebpf.ProgramSpec, maps map[string]*ebpf.Map, c Config) ([]io.Closer, error) {
	kind, at, _ := strings.Cut(spec.SectionName, "/")
	switch kind {
	case "fentry", "fexit", "tp_btf":
		return one(link.AttachTracing(link.TracingOptions{Program: prog, AttachType: spec.AttachType}))
	case "kprobe", "kretprobe":
		return attachKprobe(kind, at, prog)
	case "tracepoint":
		group, name, _ := strings.Cut(at, "/")
		return one(attachTracepoint(group, name, prog))
	case "iter":
		opts := link.IterOptions{Program: prog}
		switch at {
		case "bpf_sk_storage_map":
			opts.Map = maps["listeners"]
		case "bpf_map_elem":
			opts.Map = maps["flows"]
		}
		return one(link.AttachIter(opts))
	case "uprobe":
		return attachMarks(prog, c)
	case "perf_event":
		return attachTimers(prog)
	}
	return nil, fmt.Errorf("section %q: no such mechanism", spec.SectionName)
}

func one[L io.Closer](l L, err error) ([]io.Closer, error) {
	if err != nil {
		return nil, err
	}
	return []io.Closer{l}, nil
}

// attachKprobe attaches to the entry or the return of a function. Many threads may sit in accept at once, each of which
// needs a slot of a return probe.
func attachKprobe(kind, at string, prog *ebpf.Program) ([]io.Closer, error) {
	if _, err := os.Stat("/sys/bus/event_source/devices/kprobe"); err != nil {
		return nil, errors.New("this kernel is built without kprobes")
	}
	if kind == "kprobe" {
		return one(link.Kprobe(at, prog, nil))
	}
	return one(link.Kretprobe(at, prog, &link.KprobeOptions{RetprobeMaxActive: 4096}))
}

// attachMarks puts the uprobe on the mark function of every cooperating executable.
func attachMarks(prog *ebpf.Program, c Config) ([]io.Closer, error) {
	var links []io.Closer
	for _, path := range slices.Compact(slices.Sorted(slices.Values(c.Marks))) {
		offset, err := gofunc.Offset(path, c.MarkSymbol)
		if err != nil {
			return links, fmt.Errorf("%s: %w", path, err)
		}
		exe, err := link.OpenExecutable(path)
		if err != nil {
			return links, err
		}
		l, err := exe.Uprobe(c.MarkSymbol, prog, &link.UprobeOptions{Address: offset})
		if err != nil {
			return links, err
		}
		links = append(links, l)
	}
	return links, nil
}

// detach leaves the programs loaded.
func (a *attached) detach() {
	closeTogether(a.links)
	a.links = nil
}

// closeTogether closes links at the same time. For most of them the kernel waits until no CPU is inside the program any
// more: one after the other that is half a second, and more on a busy machine.
func closeTogether(links []io.Closer) {
	var wg sync.WaitGroup
	for _, l := range links {
		wg.Go(func() { l.Close() })
	}
	wg.Wait()
}

func (a *attached) close() {
	a.detach()
	for _, p := range slices.Concat(append(a.copies, a.progs)...) {
		p.Close()
	}
	a.progs, a.copies = nil, nil
}
