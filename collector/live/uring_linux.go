// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"beltrace/bpf"
	"beltrace/collector/event"
	"beltrace/collector/probes"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

const (
	maxOps    = 256    // an opcode is a byte
	opUnknown = 255    // OP_UNKNOWN in uring.h
	ringCall  = 0x8000 // RING_CALL in event.h
)

// registeredOnly is IORING_SETUP_REGISTERED_FD_ONLY: the ring has no descriptor.
const registeredOnly = 1 << 15

// ringSeen is what was last told of a ring.
type ringSeen struct {
	done  uint64 // completions
	taken uint64 // submissions
	told  bool
}

// seedRings lets the iterator find the rings that are there.
func (s *Session) seedRings() {
	if a := s.hooks[probes.RingSetup]; a != nil {
		for _, l := range a.links {
			if it, ok := l.(*link.Iter); ok {
				iterate(it.Open)
			}
		}
	}
}

// sampleRings queues an event for each watched ring that did something since the last one, and for each that has ended.
func (s *Session) sampleRings() { s.tellRings(s.allRings()) }

func (s *Session) tellRings(all map[uint64]bpf.KernelRing) {
	now := monotonic()
	newest := map[[2]uint32]uint64{} // of a descriptor
	known := map[uint64]bool{}
	for _, r := range all {
		known[r.Id] = true
		newest[descriptorOf(&r)] = max(newest[descriptorOf(&r)], r.Created)
	}
	maps.DeleteFunc(s.rings, func(id uint64, _ ringSeen) bool { return !known[id] })
	gone := map[uint64]uint64{}
	for _, at := range sortedKeys(all) {
		r := all[at]
		ended := r.Created < newest[descriptorOf(&r)] || !isRing(&r)
		if !s.isAt(at, r.Id) {
			continue // its memory is another one's by now: the next sample finds it by its id
		}
		if r.Watched != 0 {
			s.sampleRing(at, &r, now, ended)
		}
		if ended {
			gone[at] = r.Id
		}
	}
	s.forgetRings(gone)
}

func (s *Session) sampleRing(at uint64, r *bpf.KernelRing, now int64, ended bool) {
	var w bpf.KernelRingWork
	if s.maps[bpf.KernelMapRingWorks].Lookup(at, &w) != nil || w.Id != r.Id {
		w = bpf.KernelRingWork{} // nothing is known of it, or what is known is another ring's
	}
	seen := s.rings[r.Id]
	if is := (ringSeen{w.Operations, w.Submits.Sum + uint64(w.InBatch), true}); is != seen || ended {
		s.rings[r.Id] = is
		e := event.Event{Kind: event.Ring, TS: now}
		s.decoder.ring(r, &w, s.ringOps(r.Id, &w), slices.Contains(s.hooks[probes.RingOps].hook.Progs, "uring_overflow"), &e)
		if ended {
			e.Phase = event.PhaseEnd
			e.Set(event.FieldPhase)
		}
		s.pending = append(s.pending, e)
	}
}

// isAt reports whether the ring with that id is still what is found there.
func (s *Session) isAt(at, id uint64) bool {
	var r bpf.KernelRing
	return s.maps[bpf.KernelMapRings].Lookup(at, &r) == nil && r.Id == id
}

func descriptorOf(r *bpf.KernelRing) [2]uint32 { return [2]uint32{r.Pid, uint32(r.Fd)} }

func sortedKeys[V any](m map[uint64]V) []uint64 {
	out := make([]uint64, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func (s *Session) allRings() map[uint64]bpf.KernelRing {
	out := map[uint64]bpf.KernelRing{}
	var at uint64
	var r bpf.KernelRing
	for it := s.maps[bpf.KernelMapRings].Iterate(); it.Next(&at, &r); {
		out[at] = r
	}
	return out
}

// isRing reports whether the descriptor, or at least the process, is there.
func isRing(r *bpf.KernelRing) bool {
	path := fmt.Sprintf("/proc/%d", r.Pid)
	if r.Fd < 0 || r.Setup&registeredOnly != 0 {
		_, err := os.Stat(path)
		return err == nil
	}
	name, err := os.Readlink(fmt.Sprintf("%s/fd/%d", path, r.Fd))
	return err == nil && name == "anon_inode:[io_uring]"
}

// ringOps reads what was added up of a ring's operations, by opcode.
func (s *Session) ringOps(id uint64, w *bpf.KernelRingWork) map[uint64]bpf.KernelRingOp {
	out := map[uint64]bpf.KernelRingOp{}
	for op := range uint32(maxOps) {
		var o bpf.KernelRingOp
		odd := s.maps[bpf.KernelMapRingOps].Lookup(bpf.KernelRingOpKey{Ring: id, Op: op}, &o) == nil
		if !odd {
			o = bpf.KernelRingOp{}
		}
		if int(op) < len(w.Counts) {
			o.Count = w.Counts[op]
		}
		if odd || o.Count != (bpf.KernelRingCount{}) {
			out[uint64(op)] = o
		}
	}
	return out
}

// forgetRings drops what the programs keep of rings that have ended, by what each is found, with its id.
func (s *Session) forgetRings(ended map[uint64]uint64) {
	if len(ended) == 0 {
		return
	}
	freed := map[uint64]bool{}
	for at, id := range ended {
		for _, key := range []uint64{at, id} { // its memory may have become another one's since its end was told
			if s.isAt(key, id) {
				s.maps[bpf.KernelMapRings].Delete(key)
				s.maps[bpf.KernelMapRingWorks].Delete(key)
				freed[key] = true
			}
		}
		s.forgetSums(id)
		delete(s.rings, id)
	}
	m := s.maps[bpf.KernelMapOperations]
	keys, values := make([]bpf.KernelOperationKey, batch), make([]bpf.KernelOperation, batch)
	var old []bpf.KernelOperationKey
	var cursor ebpf.MapBatchCursor
	for err := error(nil); err == nil; {
		var n int
		n, err = m.BatchLookup(&cursor, keys, values, nil)
		for i := range n {
			if freed[values[i].Of] {
				old = append(old, keys[i])
			}
		}
	}
	for _, k := range old {
		m.Delete(k)
	}
}

func (s *Session) forgetSums(id uint64) {
	for op := range uint32(maxOps) {
		s.maps[bpf.KernelMapRingOps].Delete(bpf.KernelRingOpKey{Ring: id, Op: op})
	}
}

// beginRings begins the sums of all rings anew: what was added up before has a gap.
func (s *Session) beginRings() {
	for _, r := range s.allRings() {
		s.forgetSums(r.Id)
	}
	emptyMap[uint64](s.maps[bpf.KernelMapRingWorks])
	clear(s.rings)
	emptyMap[bpf.KernelOperationKey](s.maps[bpf.KernelMapOperations])
	emptyMap[bpf.KernelOperationKey](s.maps[bpf.KernelMapMultishots])
}

// emptyMap deletes all entries of a map that nobody writes to.
func emptyMap[K any](m *ebpf.Map) {
	var k K
	for m.NextKey(nil, &k) == nil {
		if m.Delete(k) != nil {
			return
		}
	}
}

// ring fills in what a ring did.
func (d *decoder) ring(r *bpf.KernelRing, w *bpf.KernelRingWork, ops map[uint64]bpf.KernelRingOp, overflow bool, e *event.Event) {
	e.PID, e.TID, e.Comm, e.FD = r.Pid, w.Tid, d.name(r.Comm), r.Fd
	u := &event.Uring{
		Ring: r.Number, SQEntries: r.SqEntries, CQEntries: r.CqEntries, Setup: setupNames(r.Setup), InFlight: inFlight(ops), Overflow: w.Overflow,
		Submits: event.Batches{Count: w.Submits.Count, Sum: w.Submits.Sum, Buckets: w.Submits.Buckets[:]},
		Reaps:   event.Batches{Count: w.Reaps.Count, Sum: w.Reaps.Sum, Buckets: w.Reaps.Buckets[:]},
	}
	if n := w.InBatch; n > 0 { // the last call's submissions
		u.Submits.Count, u.Submits.Sum = u.Submits.Count+1, u.Submits.Sum+uint64(n)
		u.Submits.Buckets[min(log2(n), len(u.Submits.Buckets)-1)]++
	}
	u.Submits.Buckets, u.Reaps.Buckets = trimmed(u.Submits.Buckets), trimmed(u.Reaps.Buckets)
	for _, op := range sortedKeys(ops) {
		o := ops[op]
		u.Ops = append(u.Ops, ringOp(uint8(op), &o, w.Sampled != 0))
	}
	e.Uring = u
	e.Set(event.FieldPID, event.FieldComm, event.FieldRing, event.FieldSQEntries, event.FieldCQEntries, event.FieldInFlight, event.FieldOps, event.FieldSubmits, event.FieldReaps)
	for f, known := range map[event.Field]bool{
		event.FieldOverflow: overflow, event.FieldTID: w.Tid != 0, event.FieldSetup: u.Setup != "", event.FieldFD: r.Fd >= 0 && r.Setup&registeredOnly == 0,
	} {
		if known {
			e.Set(f)
		}
	}
}

// inFlight is how many operations are not complete. A moment lies between the reading of one sum and the next.
func inFlight(ops map[uint64]bpf.KernelRingOp) uint64 {
	var n int64
	for _, o := range ops {
		n += int64(o.Count.Submitted-o.Skipped) - int64(completions(&o)-o.More-o.Strange)
	}
	return uint64(max(0, n))
}

func completions(o *bpf.KernelRingOp) (n uint64) {
	for _, v := range o.Count.How {
		n += v
	}
	return n
}

func log2(n uint32) (i int) {
	for ; n > 1; n >>= 1 {
		i++
	}
	return i
}

// trimmed leaves out the empty buckets at the end.
func trimmed(buckets []uint64) []uint64 {
	n := len(buckets)
	for n > 0 && buckets[n-1] == 0 {
		n--
	}
	return slices.Clone(buckets[:n])
}

// sampled: not every operation of the ring was timed.
func ringOp(op uint8, o *bpf.KernelRingOp, sampled bool) event.RingOp {
	out := event.RingOp{
		Op: uringOp(op), Submitted: o.Count.Submitted, Count: completions(o), Errors: o.Errors, How: map[string]uint64{},
		More: o.More, Linked: o.Linked, Fixed: o.Fixed, Direct: o.Direct, MaxNS: o.Max,
	}
	for how, name := range uringHows {
		if n := o.Count.How[how]; n > 0 && name != "" {
			out.How[name] = n
		}
	}
	var timed uint64
	for i, n := range o.Latency {
		if n > 0 {
			out.Latency = append(out.Latency, [2]uint64{latencyFrom(i), n})
			timed += n
		}
	}
	out.Sampled = sampled && timed > 0 && timed < out.Count
	return out
}

// latencyFrom is the smallest latency in a bucket of uring.h.
func latencyFrom(bucket int) uint64 {
	if bucket < 4 {
		return uint64(bucket)
	}
	log := uint(bucket+4) / 4
	return uint64(4+(bucket+4)%4) << (log - 2)
}

// operation decodes a submission or completion.
func (d *decoder) operation(r *bpf.KernelUringEvent, kind event.Kind, e *event.Event) bool {
	if r == nil {
		return false
	}
	e.Kind = kind
	u := &event.Uring{Ring: r.Ring, UserData: r.UserData}
	e.Uring = u
	e.Set(event.FieldRing, event.FieldUserData)
	if r.Op != opUnknown {
		u.Op = uringOp(r.Op)
		e.Set(event.FieldOp)
	}
	if kind == event.UringSubmit {
		return true
	}
	u.Res = r.Res
	e.Set(event.FieldRes)
	if int(r.How) < len(uringHows) && uringHows[r.How] != "" {
		u.How = uringHows[r.How]
		e.Set(event.FieldHow)
	}
	if bpf.KernelEventHas(r.E.Has)&bpf.KernelEventHasHAS_DURATION != 0 {
		e.Turn = &event.Moves{LatencyNS: int64(r.Latency)}
		e.Set(event.FieldLatencyNS)
	}
	return true
}

var uringHows = [...]string{
	bpf.KernelUringHowHOW_UNKNOWN: "", bpf.KernelUringHowHOW_INLINE: event.HowInline,
	bpf.KernelUringHowHOW_POLL: event.HowPoll, bpf.KernelUringHowHOW_IOWQ: event.HowIOWQ,
}

// uringOps are the operations by number: IORING_OP_* of the kernel, 5.1 to 6.18.
var uringOps = strings.Fields(`nop readv writev fsync read_fixed write_fixed poll_add poll_remove sync_file_range sendmsg
recvmsg timeout timeout_remove accept async_cancel link_timeout connect fallocate openat close files_update statx read write
fadvise madvise send recv openat2 epoll_ctl splice provide_buffers remove_buffers tee shutdown renameat unlinkat mkdirat
symlinkat linkat msg_ring fsetxattr setxattr fgetxattr getxattr socket uring_cmd send_zc sendmsg_zc read_multishot waitid
futex_wait futex_wake futex_waitv fixed_fd_install ftruncate bind listen recv_zc epoll_wait readv_fixed writev_fixed pipe
nop128 uring_cmd128`)

func uringOp(op uint8) string {
	switch {
	case int(op) < len(uringOps):
		return uringOps[op]
	case op == opUnknown:
		return event.OpUnknown
	}
	return fmt.Sprintf("op%d", op)
}

// setups are IORING_SETUP_* by bit.
var setups = strings.Fields(`iopoll sqpoll sq_aff cqsize clamp attach_wq r_disabled submit_all coop_taskrun taskrun_flag
sqe128 cqe32 single_issuer defer_taskrun no_mmap registered_fd_only no_sqarray hybrid_iopoll cqe_mixed sqe_mixed`)

func setupNames(flags uint32) string {
	var out []string
	for bit, name := range setups {
		if flags>>bit&1 != 0 {
			out = append(out, name)
		}
	}
	return strings.Join(out, ",")
}
