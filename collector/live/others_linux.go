// SPDX-License-Identifier: Apache-2.0

package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// others are the listeners of a network namespace that are not watched. Its counter has what they refused, too.
type others struct {
	drops  map[uint64]uint32 // sk_drops of every listener at the last look, by cookie
	count  uint64            // by how much those of the others rose since the watch began: they refused no more than that
	vain   uint64            // of it, what was none
	unseen bool              // they could not be looked at the last time
}

// look reads the counters of all listeners of the namespace that a path leads into; watched tells which are no others.
func (o *others) look(path string, watched func(cookie uint64) bool) {
	now, err := listenerDrops(path)
	if o.unseen = err != nil; o.unseen {
		return
	}
	for cookie, n := range now {
		if !watched(cookie) {
			o.count += uint64(n - o.drops[cookie])
		}
	}
	o.drops = now
}

// claim is how many refusals may be theirs.
func (o *others) claim() uint64 { return o.count - o.vain }

// leave is told how many refusals are left for them. What they claim is all in the namespace's counter: more of it than is
// left was none.
func (o *others) leave(left uint64) { o.vain += o.claim() - min(o.claim(), left) }

// lookAtOthers is done before the namespace's counters are read, which then have all that the others refused.
func (s *Session) lookAtOthers(sp *space, path string) {
	if s.partial {
		sp.others.look(path, func(cookie uint64) bool { return s.listeners[cookie] != nil })
	}
}

// othersIn is how many of the refusals that a namespace has counted may be of listeners that are not watched: all of them,
// where those cannot be looked at.
func (s *Session) othersIn(sp *space, room uint64) uint64 {
	switch {
	case !s.partial:
		return 0
	case sp.others.unseen:
		return room
	}
	return sp.others.claim()
}

// listenerDrops asks for sk_drops of each listening TCP socket of a namespace, by cookie.
func listenerDrops(path string) (map[uint64]uint32, error) {
	out := map[uint64]uint32{}
	err := inSpace(path, func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
		if err != nil {
			return fmt.Errorf("open a netlink socket: %w", err)
		}
		defer unix.Close(fd)
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			if err := dumpListeners(fd, family, out); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// What the kernel's inet_diag.h and sock_diag.h have.
const (
	diagMeminfo    = 7  // INET_DIAG_SKMEMINFO
	diagDrops      = 32 // where SK_MEMINFO_DROPS is in it
	diagMsg        = 72 // struct inet_diag_msg
	diagCookie     = 44 // where its id.idiag_cookie is
	diagStates     = 4  // where inet_diag_req_v2.idiag_states is
	diagReq        = 56 // struct inet_diag_req_v2
	stateListening = 1 << 10
)

func dumpListeners(fd int, family uint8, out map[uint64]uint32) error {
	req := make([]byte, unix.SizeofNlMsghdr+diagReq)
	*(*unix.NlMsghdr)(unsafe.Pointer(&req[0])) = unix.NlMsghdr{Len: uint32(len(req)), Type: unix.SOCK_DIAG_BY_FAMILY, Flags: unix.NLM_F_REQUEST | unix.NLM_F_DUMP}
	body := req[unix.SizeofNlMsghdr:]
	body[0], body[1], body[2] = family, unix.IPPROTO_TCP, 1<<(diagMeminfo-1)
	binary.NativeEndian.PutUint32(body[diagStates:], stateListening)
	if err := unix.Sendto(fd, req, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask for the listeners: %w", err)
	}
	for buf := make([]byte, 64<<10); ; {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err != nil {
			return fmt.Errorf("read the listeners: %w", err)
		}
		all, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return fmt.Errorf("read the listeners: %w", err)
		}
		for _, m := range all {
			switch m.Header.Type {
			case unix.NLMSG_DONE:
				return nil
			case unix.NLMSG_ERROR:
				return errors.New("the kernel does not list the listeners")
			}
			addDrops(m.Data, out)
		}
	}
}

// addDrops takes one socket of a dump.
func addDrops(data []byte, out map[uint64]uint32) {
	if len(data) < diagMsg {
		return
	}
	cookie := uint64(binary.NativeEndian.Uint32(data[diagCookie:])) | uint64(binary.NativeEndian.Uint32(data[diagCookie+4:]))<<32
	for attrs := data[diagMsg:]; len(attrs) >= unix.SizeofRtAttr; {
		size, kind := int(binary.NativeEndian.Uint16(attrs)), binary.NativeEndian.Uint16(attrs[2:])
		if size < unix.SizeofRtAttr || size > len(attrs) {
			return
		}
		if value := attrs[unix.SizeofRtAttr:size]; kind == diagMeminfo && len(value) >= diagDrops+4 {
			out[cookie] = binary.NativeEndian.Uint32(value[diagDrops:])
		}
		attrs = attrs[min(len(attrs), (size+3)&^3):]
	}
}
