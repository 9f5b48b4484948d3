// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"beltrace/bpf"
)

// readyProgram is the program at ep_poll_callback. As one of a raw tracepoint it gets the same arguments in the same way.
const readyProgram = "ready_fentry"

// ready measures what a call of it takes.
func (s *session) ready() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		return fmt.Errorf("enable statistics: %w", err)
	}
	defer stats.Close()
	item, err := newReadyItem()
	if err != nil {
		return err
	}
	defer item.close()
	for range s.Pairs {
		m, err := item.measure()
		if err != nil {
			return err
		}
		s.say("ready  %.0f ns a call, %.0f of a program that does nothing", m.Counted, m.Empty)
		s.report.Ready = append(s.report.Ready, m)
	}
	return nil
}

// readyItem is a descriptor of an epoll instance, and the program that is told that it is ready.
type readyItem struct {
	coll     *ebpf.Collection
	empty    *ebpf.Program
	ep, wait uint64 // addresses of the instance, and of what the file calls
	fds      []int
}

func newReadyItem() (*readyItem, error) {
	it := &readyItem{}
	if err := it.open(); err != nil {
		it.close()
		return nil, err
	}
	return it, nil
}

func (it *readyItem) open() error {
	spec, err := bpf.LoadKernel()
	if err != nil {
		return fmt.Errorf("read the embedded programs: %w", err)
	}
	maps.DeleteFunc(spec.Programs, func(name string, _ *ebpf.ProgramSpec) bool { return name != readyProgram })
	p := spec.Programs[readyProgram]
	p.Type, p.AttachType, p.AttachTo = ebpf.RawTracepoint, 0, ""
	if it.coll, err = ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: btf.NewCache()}); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	it.empty, err = ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.RawTracepoint, Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}, License: "GPL"})
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	return it.watch()
}

// watch makes an instance with a pipe, and finds out where the kernel has it.
func (it *readyItem) watch() error {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	it.fds = []int{pipe[0], pipe[1], epfd}
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, pipe[0], &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(pipe[0])}); err != nil {
		return err
	}
	k, err := newKernelWalk()
	if err != nil {
		return err
	}
	k.deref("task_struct", "files")
	k.deref("files_struct", "fdt")
	k.deref("fdtable", "fd")
	k.element(epfd)
	k.deref("file", "private_data")
	if it.ep, err = k.walk(); err != nil {
		return err
	}
	k.field("eventpoll", "rbr")
	k.deref("rb_root_cached", "rb_root")
	k.deref("epitem", "pwqlist") // its node is at its beginning
	if it.wait, err = k.walk(); err != nil {
		return err
	}
	wait, err := k.memberOf("eppoll_entry", "wait")
	it.wait += uint64(wait)
	return err
}

func (it *readyItem) close() {
	for _, fd := range it.fds {
		unix.Close(fd)
	}
	if it.coll != nil {
		it.coll.Close()
	}
	if it.empty != nil {
		it.empty.Close()
	}
}

// measure runs the programs.
func (it *readyItem) measure() (m readySample, err error) {
	prog, instances := it.coll.Programs[readyProgram], it.coll.Maps[bpf.KernelMapInstances]
	step := func(to *float64, p *ebpf.Program, events uint64) {
		if err == nil {
			*to, err = perCall(p, []uint64{it.wait, 0, 0, events})
		}
	}
	step(&m.Empty, it.empty, unix.EPOLLIN)
	step(&m.Others, prog, unix.EPOLLIN)
	err = errors.Join(err, instances.Put(it.ep, bpf.KernelInstance{Since: 1}))
	step(&m.Unasked, prog, unix.EPOLLOUT)
	before := it.counted()
	step(&m.Counted, prog, unix.EPOLLIN)
	if n := it.counted() - before; err == nil && n != readyRuns {
		err = fmt.Errorf("it counted %d of %d calls", n, readyRuns)
	}
	return m, errors.Join(err, instances.Delete(it.ep))
}

// counted is how often the descriptor was ready.
func (it *readyItem) counted() uint64 {
	var r bpf.KernelReadyCount
	if it.coll.Maps[bpf.KernelMapReadied].Lookup(bpf.KernelReadyKey{Ep: it.ep, Fd: int32(it.fds[0])}, &r) != nil {
		return 0
	}
	return r.Times
}

// perCall is how long a program runs, in ns, by the kernel's statistics.
func perCall(p *ebpf.Program, args []uint64) (float64, error) {
	ran := func() (time.Duration, uint64, error) {
		s, err := p.Stats()
		if err != nil {
			return 0, 0, err
		}
		return s.Runtime, s.RunCount, nil
	}
	time0, runs0, err := ran()
	if err != nil {
		return 0, err
	}
	for range readyRuns {
		if _, err := p.Run(&ebpf.RunOptions{Context: args}); err != nil {
			return 0, err
		}
	}
	time1, runs1, err := ran()
	if err != nil || runs1-runs0 != readyRuns {
		return 0, errors.Join(err, fmt.Errorf("%d of %d runs were counted", runs1-runs0, readyRuns))
	}
	return float64(time1-time0) / readyRuns, nil
}
