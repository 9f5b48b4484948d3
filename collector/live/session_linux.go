// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"beltrace/bpf"
	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/collector/probes"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Session is a running collection: an event.Source, and what is attached for it.
type Session struct {
	info    Info
	maps    map[string]*ebpf.Map
	loader  *loader
	hooks   map[string]*attached // by probe
	copies  bool                 // this kernel leaves out runs: programs are attached several times
	ring    *ring
	decoder decoder
	tick    time.Duration

	held      uint32        // Config.Held, until it has become its command
	chosen    chosen        // processes, by a filter
	noPayload bool          // Config.NoPayload
	partial   bool          // Config.Partial
	detailed  sync.Once     // a connection is in detail
	pending   []event.Event // to be delivered before the ring is read again
	seeds     seeds         // the same, and then there are none any more
	draining  bool
	began     int64 // when the present drain began
	newest    int64 // time of the newest record
	unmarked  int   // records since the last watermark
	sampled   int64 // when the queues were last sampled
	counted   lossCounters

	listeners   map[uint64]*listenerState // by cookie
	tallies     map[bpf.KernelTallyKey]*tallyState
	ownersTurn  int   // whose owner is looked at next
	ownersDue   int64 // when all processes may be looked through again
	busy        bool  // a listener has a queue that is more than half full
	sampledBusy int64 // when those were last sampled
	spaces      spaces
	descriptors map[uint32]descriptors // by pid, since the last second

	meter   meter
	cost    atomic.Pointer[model.Cost]
	threads threadReader
	loops   loopReader
	stacks  stacks
	rings   map[uint64]ringSeen    // by id
	demands map[probes.Set]*demand // sets that are attached while they are needed
	reseed  atomic.Bool            // threads are to be looked for: another process is watched
	sets    atomic.Pointer[[]string]

	turns    uint64 // records of which sampling makes fewer
	sampling sampling
	oneIn    atomic.Uint32 // see Sampling

	done    chan struct{} // closed by Close
	close   sync.Once
	closing sync.WaitGroup // hooks that are being detached
	naming  sync.WaitGroup // who names stacks, until the end
	last    chan struct{}  // closed by Stop
	stop    sync.Once
	final   bool       // the drain that is under way is the last one
	read    sync.Mutex // held by Next and Close: the ring is unmapped only between reads
}

// attached is a probe's hook in use.
type attached struct {
	hook   *probes.Hook
	set    probes.Set
	progs  []*ebpf.Program
	copies [][]*ebpf.Program // further copies of progs, by index
	links  []io.Closer
}

// Open loads and attaches what the configuration asks for. Everything is attached when it returns. Its error is an
// *Unsupported when kernel or privileges stand in the way.
func Open(ctx context.Context, c Config) (*Session, error) {
	if err := requirements(); err != nil {
		return nil, err
	}
	s := &Session{
		hooks: map[string]*attached{}, done: make(chan struct{}), last: make(chan struct{}), tick: tickPeriod, decoder: newDecoder(),
		listeners: map[uint64]*listenerState{}, tallies: map[bpf.KernelTallyKey]*tallyState{},
		descriptors: map[uint32]descriptors{}, rings: map[uint64]ringSeen{},
	}
	if err := s.open(ctx, c); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Session) open(ctx context.Context, c Config) error {
	var err error
	if s.loader, err = newLoader(c); err != nil {
		return err
	}
	if err := s.nameReasons(s.loader.spec); err != nil {
		return err
	}
	if err := s.loader.makeMaps(); err != nil {
		return err
	}
	s.maps = s.loader.maps
	s.decoder.tellsSYNs = c.SYN
	s.chosen, s.noPayload, s.held, s.partial = newChosen(&c), c.NoPayload, c.Held, c.Partial()
	if err := s.loader.variables["held_tgid"].Set(c.Held); err != nil {
		return fmt.Errorf("set held_tgid: %w", err)
	}
	s.sampling.least = c.Share
	s.sampling.set(0)
	s.sample()
	if err := s.watchChosen(&c); err != nil {
		return err
	}
	if s.ring, err = newRing(s.maps["events"]); err != nil {
		return err
	}
	s.describe(c)
	s.demands = map[probes.Set]*demand{}
	for _, set := range []probes.Set{probes.Sched, probes.Loops, probes.Rings, probes.Data, probes.Samples, probes.Readiness} {
		s.demands[set] = &demand{always: c.alwaysOn(set)}
	}
	s.copies = leavesOutRuns(s.info.Kernel)
	if err := s.attachAll(ctx, c); err != nil {
		return err
	}
	if err := s.watchChosen(&c); err != nil { // those that were forked before the fork hook was there
		return err
	}
	if err := s.countRefusals(); err != nil {
		return err
	}
	s.spaces.begin(c.NetNS, s.partial) // before the listeners' counters are read, which then have nothing that these have not
	if err := s.arm(); err != nil {
		return err
	}
	if err := s.seed(ctx, c); err != nil {
		return err
	}
	if err := s.watchBlockedAcceptors(); err != nil {
		return err
	}
	s.seedRings()
	s.loader.release()
	s.heedNeeds(monotonic())
	s.publishSets()
	s.meter = startMeter()
	return nil
}

// attachAll tries the probes in turn and works out the session's tier.
func (s *Session) attachAll(ctx context.Context, c Config) error {
	tier := probes.Full
	for _, p := range probes.Table() {
		if err := ctx.Err(); err != nil {
			return err
		}
		info := s.attachProbe(&p, c)
		s.info.Probes = append(s.info.Probes, info)
		if info.Hook != nil {
			if p.Required || p.Name == "queued" || p.Name == "connect" {
				tier = tier.Worse(info.Hook.Serves)
			}
			continue
		}
		if p.Required {
			return refused(info)
		}
	}
	s.info.Tier = tier
	return nil
}

// arm lets the programs begin, all at once.
func (s *Session) arm() error {
	s.info.Start = monotonic()
	if err := s.loader.variables["armed"].Set(true); err != nil {
		return fmt.Errorf("arm the programs: %w", err)
	}
	return nil
}

// refused makes the error of a required probe without a hook.
func refused(info ProbeInfo) error {
	var reasons []error
	for _, f := range info.Failed {
		reasons = append(reasons, fmt.Errorf("%s %s: %w", f.Hook.How, f.Hook.At, f.Err))
	}
	err := errors.Join(reasons...)
	return &Unsupported{
		What: fmt.Sprintf("this kernel does not let us watch %q (%s)", info.Probe.Name, info.Probe.Why),
		Do:   "'beltrace doctor -v' shows what the kernel said to each hook",
		Err:  err,
	}
}

// describe fills in what is known before anything is attached.
func (s *Session) describe(c Config) {
	kernel, host := uname()
	s.info = Info{
		Host: host, Kernel: kernel, Arch: runtime.GOARCH, BootOffset: bootOffset(),
		Filters: c.filters(), Sets: []string{string(probes.Lifecycle)},
	}
	if len(c.Marks) > 0 {
		s.info.Sets = append(s.info.Sets, string(probes.Marks))
	}
}

// Info describes the session. Its Sets are those that are attached now. Any goroutine may ask.
func (s *Session) Info() Info {
	info := s.info
	info.Sets = s.Sets()
	return info
}

// Cost is what watching cost in the last second; false while it is not known. Any goroutine may ask.
func (s *Session) Cost() (model.Cost, bool) {
	if c := s.cost.Load(); c != nil {
		return *c, true
	}
	return model.Cost{}, false
}

// Stop makes Next deliver what has happened so far and then return io.EOF. Any goroutine may call it, more than once.
func (s *Session) Stop() { s.stop.Do(func() { close(s.last) }) }

// Close detaches everything and makes Next return io.EOF. It may be called more than once, from any goroutine.
func (s *Session) Close() error {
	s.close.Do(func() {
		close(s.done)
		s.read.Lock()
		defer s.read.Unlock()
		var links []io.Closer
		for _, a := range s.hooks {
			links, a.links = append(links, a.links...), nil
		}
		closeTogether(links)
		for _, a := range s.hooks {
			a.close()
		}
		s.closing.Wait()
		s.naming.Wait()
		s.meter.close()
		if s.ring != nil {
			s.ring.close()
		}
		if s.loader != nil {
			s.loader.close()
		}
	})
	return nil
}

// monotonic is the clock of bpf_ktime_get_ns.
func monotonic() int64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// bootOffset measures unix time minus CLOCK_MONOTONIC: the reading with the shortest gap of a few counts.
func bootOffset() int64 {
	var best, gap int64
	for i := range 5 {
		before := monotonic()
		wall := time.Now().UnixNano()
		after := monotonic()
		if i == 0 || after-before < gap {
			best, gap = wall-(before+after)/2, after-before
		}
	}
	return best
}

func uname() (kernel, host string) {
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		kernel = unix.ByteSliceToString(u.Release[:])
	}
	host, _ = os.Hostname()
	return kernel, host
}
