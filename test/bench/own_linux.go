// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"beltrace/bpf"
)

// watchEmpty attaches empty programs where the named programs of beltrace would be.
func watchEmpty(ctx context.Context, names []string) error {
	spec, err := bpf.LoadKernel()
	if err != nil {
		return fmt.Errorf("read the embedded programs: %w", err)
	}
	clear(spec.Maps)
	clear(spec.Variables)
	for _, p := range spec.Programs {
		p.Instructions = asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}
	}
	w, err := loadAndAttach(spec, names)
	if err != nil {
		return err
	}
	defer w.close()
	fmt.Println("ready")
	<-ctx.Done()
	return nil
}

// watchMinimal runs the minimal tracer with the named programs. It says when its first record has come, and at the end
// how many there were.
func watchMinimal(ctx context.Context, names []string) error {
	spec, err := loadMinimal()
	if err != nil {
		return fmt.Errorf("read the embedded programs: %w", err)
	}
	w, err := loadAndAttach(spec, names)
	if err != nil {
		return err
	}
	defer w.close()
	r, err := newReader(w.Maps["records"])
	if err != nil {
		return err
	}
	return r.run(ctx)
}

// watcher is programs at work. Links that nobody holds are closed by the garbage collector.
type watcher struct {
	*ebpf.Collection
	links []link.Link
}

func (w *watcher) close() {
	for _, l := range w.links {
		l.Close()
	}
	w.Collection.Close()
}

// loadAndAttach attaches the named programs.
func loadAndAttach(spec *ebpf.CollectionSpec, names []string) (*watcher, error) {
	maps.DeleteFunc(spec.Programs, func(name string, _ *ebpf.ProgramSpec) bool { return !slices.Contains(names, name) })
	if len(spec.Programs) != len(names) {
		return nil, fmt.Errorf("not all programs are there: %s", strings.Join(names, ", "))
	}
	// A cache of our own, since the kernel's types take tens of megabytes.
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: btf.NewCache()})
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	w := &watcher{Collection: coll}
	for _, name := range names {
		if strings.HasPrefix(spec.Programs[name].SectionName, "iter/") {
			continue // it runs when it is read only
		}
		l, err := attach(spec.Programs[name], coll.Programs[name])
		if err != nil {
			w.close()
			return nil, fmt.Errorf("attach %s: %w", name, err)
		}
		w.links = append(w.links, l)
	}
	debug.FreeOSMemory()
	return w, nil
}

// attach attaches a program where its section says.
func attach(spec *ebpf.ProgramSpec, prog *ebpf.Program) (link.Link, error) {
	kind, at, _ := strings.Cut(spec.SectionName, "/")
	switch kind {
	case "fentry", "fexit", "tp_btf":
		return link.AttachTracing(link.TracingOptions{Program: prog, AttachType: spec.AttachType})
	case "tracepoint":
		group, name, _ := strings.Cut(at, "/")
		return link.Tracepoint(group, name, prog, nil)
	case "kprobe":
		return link.Kprobe(at, prog, nil)
	case "kretprobe":
		return link.Kretprobe(at, prog, &link.KprobeOptions{RetprobeMaxActive: 4096})
	}
	return nil, fmt.Errorf("section %q: no such mechanism", spec.SectionName)
}

// readPeriod is how often the minimal tracer reads its ring: as beltrace does.
const readPeriod = 20 * time.Millisecond

// reader reads the ring of the minimal tracer through its mapping.
type reader struct {
	consumer, producer, data []byte
	mask, pos                uint64
	seen                     map[uint32]uint64 // records of the load, by what they tell
}

func newReader(m *ebpf.Map) (*reader, error) {
	page, size := os.Getpagesize(), int(m.MaxEntries())
	consumer, err := unix.Mmap(m.FD(), 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the consumer's page: %w", err)
	}
	producer, err := unix.Mmap(m.FD(), int64(page), page+2*size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the records: %w", err)
	}
	return &reader{consumer, producer, producer[page:], uint64(size - 1), 0, map[uint32]uint64{}}, nil
}

// run reads until ctx ends, and then once more.
func (r *reader) run(ctx context.Context) error {
	tick := time.NewTicker(readPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			r.drain()
			var sum uint64
			for _, n := range r.seen {
				sum += n
			}
			fmt.Println("records", sum)
			return nil
		case <-tick.C:
			r.drain()
		}
	}
}

// drain reads what is there (kernel/bpf/ringbuf.c says how).
func (r *reader) drain() {
	const busy, discarded, header = 1 << 31, 1 << 30, 8
	end := atomic.LoadUint64((*uint64)(unsafe.Pointer(&r.producer[0])))
	for r.pos < end {
		start := r.pos & r.mask
		size := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[start])))
		if size&busy != 0 {
			break
		}
		size &^= discarded
		r.take((*minimalRecord)(unsafe.Pointer(&r.data[start+header])))
		r.pos += (header + uint64(size) + 7) &^ 7
	}
	atomic.StoreUint64((*uint64)(unsafe.Pointer(&r.consumer[0])), r.pos)
}

func (r *reader) take(rec *minimalRecord) {
	if rec.Sport != loadPort && rec.Dport != loadPort || rec.Dport == 0 { // the latter is the listener
		return
	}
	if len(r.seen) == 0 {
		fmt.Println("first record of port", loadPort)
	}
	r.seen[rec.What]++
}
