// SPDX-License-Identifier: Apache-2.0

package live

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"

	"beltrace/bpf"
	"beltrace/collector/event"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

const (
	maxPorts = 16 // MAX_PORTS in config.bpf.h
	commLen  = 16 // COMM_LEN in event.h
)

// configure writes the settings into the spec's read-only data.
func configure(spec *ebpf.CollectionSpec, c Config) error {
	if len(c.Ports) > maxPorts {
		return fmt.Errorf("%d ports to filter by: at most %d", len(c.Ports), maxPorts)
	}
	if len(c.Comm) >= commLen {
		return fmt.Errorf("comm %q: the kernel keeps 15 bytes of a name", c.Comm)
	}
	kernel, _ := uname()
	settings := map[string]any{
		"self_tgid":     uint32(os.Getpid()),
		"filter_ports":  uint32(len(c.Ports)),
		"filter_pids":   c.chosenBy(),
		"filter_comm":   c.Comm != "",
		"emit_syn":      c.SYN,
		"emit_read":     slices.Contains(c.Moves, event.Read),
		"emit_write":    slices.Contains(c.Moves, event.Write),
		"emit_readable": slices.Contains(c.Moves, event.Readable),
		"both_ends":     len(c.Moves) > 0,
		"emit_uring":    c.Uring,
		"emit_waits":    c.Waits,
		"emit_stacks":   c.Stacks,
		"copies":        leavesOutRuns(kernel),
		"payload":       !c.NoPayload,
	}
	var ports [maxPorts]uint16
	copy(ports[:], c.Ports)
	settings["filter_port"] = ports
	var comm [commLen]byte
	copy(comm[:], c.Comm)
	settings["filter_comm_name"] = comm
	if c.NetNS != "" {
		inode, err := netnsInode(c.NetNS)
		if err != nil {
			return err
		}
		settings["filter_netns"] = inode
	}
	for name, value := range settings {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	if c.RingBytes != 0 {
		spec.Maps["events"].MaxEntries = uint32(c.RingBytes)
	}
	return nil
}

// netnsInode returns the number by which the kernel knows a network namespace.
func netnsInode(path string) (uint32, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, fmt.Errorf("network namespace %s: %w", path, err)
	}
	return uint32(st.Ino), nil
}

// loader makes programs that share one set of maps, a few at a time.
type loader struct {
	spec  *ebpf.CollectionSpec
	keep  bool // the types are not ours alone
	maps  map[string]*ebpf.Map
	cache *btf.Cache
	// variables are the switches in .bss, which may be set while the programs run.
	variables map[string]*ebpf.Variable
}

// Reading is what is read in order to open a session: our programs, and the types of the kernel. It takes tens of megabytes,
// and a third of the time: a program that opens many sessions, one after the other, gives them all the same one.
type Reading struct {
	spec  *ebpf.CollectionSpec
	cache *btf.Cache
}

// programs returns the embedded programs, as nobody has changed them.
func (r *Reading) programs() (spec *ebpf.CollectionSpec, cache *btf.Cache, err error) {
	if r == nil {
		spec, err = bpf.LoadKernel()
		return spec, btf.NewCache(), err
	}
	if r.spec == nil {
		if r.spec, err = bpf.LoadKernel(); err != nil {
			return nil, nil, err
		}
		r.cache = btf.NewCache()
	}
	return r.spec.Copy(), r.cache, nil
}

// newLoader reads the programs and the kernel's types.
func newLoader(c Config) (*loader, error) {
	spec, cache, err := c.Reading.programs()
	if err != nil {
		return nil, fmt.Errorf("read the embedded programs: %w", err)
	}
	if err := configure(spec, c); err != nil {
		return nil, err
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, noBPF(fmt.Errorf("lift the memory lock limit: %w", err))
	}
	l := &loader{spec: spec, cache: cache, keep: c.Reading != nil}
	if _, err := kernelTypes(l.cache); err != nil {
		return nil, err
	}
	return l, nil
}

// makeMaps creates the maps. The settings among them cannot be changed any more.
func (l *loader) makeMaps() error {
	coll, err := ebpf.NewCollectionWithOptions(l.part(nil), ebpf.CollectionOptions{Cache: l.cache})
	if err != nil {
		return noBPF(fmt.Errorf("create maps: %w", err))
	}
	l.maps, l.variables = coll.Maps, coll.Variables
	return nil
}

// part is the spec with the named programs alone. It is no copy: the library makes one of each program that it loads.
func (l *loader) part(names []string) *ebpf.CollectionSpec {
	some := *l.spec
	some.Programs = map[string]*ebpf.ProgramSpec{}
	for _, name := range names {
		some.Programs[name] = l.spec.Programs[name]
	}
	return &some
}

// load loads the named programs.
func (l *loader) load(names []string) ([]*ebpf.Program, error) {
	some := l.part(names)
	some.Variables = nil // they are there already
	coll, err := ebpf.NewCollectionWithOptions(some, ebpf.CollectionOptions{MapReplacements: l.maps, Cache: l.cache})
	if err != nil {
		return nil, loadError(err)
	}
	for _, m := range coll.Maps {
		m.Close() // clones
	}
	var out []*ebpf.Program
	for _, name := range names {
		out = append(out, coll.Programs[name])
	}
	return out, nil
}

// takes says which tracepoint has another number of arguments than that, or nothing. A program that takes the wrong one
// would load, and read garbage.
func (l *loader) takes(want map[string]int) error {
	if len(want) == 0 {
		return nil
	}
	kernel, err := l.cache.Kernel()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		n, err := arguments(kernel, name)
		if err != nil {
			return err
		}
		if n != want[name] {
			return fmt.Errorf("tracepoint %s has %d arguments here, not %d", name, n, want[name])
		}
	}
	return nil
}

// arguments counts what a tracepoint hands to its programs.
func arguments(kernel *btf.Spec, name string) (int, error) {
	var t *btf.Typedef
	if err := kernel.TypeByName("btf_trace_"+name, &t); err != nil {
		return 0, fmt.Errorf("this kernel has no tracepoint %s", name)
	}
	p, ok := t.Type.(*btf.Pointer)
	if !ok {
		return 0, fmt.Errorf("tracepoint %s: %s is no prototype", name, t.Type)
	}
	f, ok := p.Target.(*btf.FuncProto)
	if !ok || len(f.Params) == 0 {
		return 0, fmt.Errorf("tracepoint %s: %s is no prototype", name, p.Target)
	}
	return len(f.Params) - 1, nil // the first is the tracepoint's own
}

// loadError drops the advice about memory limits, which is wrong here: they are lifted.
func loadError(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("load: %w", unix.EPERM)
	}
	return err
}

// release frees what is needed for loading only: the kernel's types take tens of megabytes.
func (l *loader) release() {
	if l.keep {
		return
	}
	l.cache = nil
	debug.FreeOSMemory()
}

func (l *loader) close() {
	for _, m := range l.maps {
		m.Close()
	}
}
