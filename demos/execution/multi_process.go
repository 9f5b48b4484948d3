// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"golang.org/x/sync/errgroup"

	"beltrace/collector/model"
	"beltrace/demos/demo"
)

func multiProcess() demo.Demo {
	d := demoOf("multi-process", "pre-fork: four processes inherit one listening socket", nil, multiProcessLesson())
	d.Server, d.Worker = preFork, serveInherited
	return d
}

// ready is what a process says when it is about to accept.
const ready = "ready"

// preFork listens, and starts the processes that serve: this program again, with the socket as an open file. When all are
// there it says where it listens.
func preFork(ctx context.Context, env *demo.Env) error {
	lns, err := env.Open(ctx, 1)
	if err != nil {
		return err
	}
	defer lns[0].Close()
	socket, err := lns[0].File()
	if err != nil {
		return err
	}
	defer socket.Close()
	g, ctx := errgroup.WithContext(ctx)
	said := make(chan struct{}, Team)
	for range Team {
		cmd, err := env.Self()
		if err != nil {
			return err
		}
		g.Go(func() error { return runWorker(ctx, cmd, socket, said) })
	}
	for range Team {
		select {
		case <-said:
		case <-ctx.Done():
			return g.Wait()
		}
	}
	env.Announce(lns[0].Addr())
	return g.Wait()
}

// runWorker runs a process that serves until ctx is done. Its standard input, which ends with this process at the latest, is
// the sign to end.
func runWorker(ctx context.Context, cmd *exec.Cmd, socket *os.File, said chan<- struct{}) error {
	cmd.ExtraFiles = []*os.File{socket}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start a process that serves: %w", err)
	}
	defer context.AfterFunc(ctx, func() { in.Close() })()
	if line, err := bufio.NewReader(out).ReadString('\n'); err == nil && line == ready+"\n" {
		said <- struct{}{}
	}
	io.Copy(io.Discard, out)
	err = cmd.Wait()
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		err = errors.New("it ended by itself")
	}
	return fmt.Errorf("a process that serves: %w", err)
}

// serveInherited is the life of such a process: the single-threaded server, with a socket that others have as well.
func serveInherited(ctx context.Context, env *demo.Env, socket *os.File) error {
	fd, err := blocking(socket)
	socket.Close()
	if err != nil {
		return fmt.Errorf("inherited socket: %w", err)
	}
	return run(ctx, env, fd, func(s *site) error {
		if _, err := fmt.Println(ready); err != nil {
			return err
		}
		return serveAlone(s)
	})
}

func multiProcessLesson() demo.Lesson {
	return demo.Lesson{
		Title: "Processes that share one listening socket",
		Steps: []demo.Step{
			stepPair: {
				Title: "born with the socket",
				Text: "The first process listens and then starts four more, which inherit the socket as an open file. Each is the single-threaded server: it accepts, serves, accepts. The parent accepts nobody; it watches over the others. It is how Apache's prefork and Gunicorn work.\n" +
					"It is one socket, however many processes have it open, and so one accept queue. The second client goes to whoever is free.",
				Page: "listeners",
				Claims: []demo.Claim{secondIsTaken, {
					Text:  "there is one listening socket, and the process that listens accepts nobody",
					Needs: []string{factAccept},
					Check: checkInherited,
				}},
			},
			stepCrowd: {
				Title: "four at once",
				Text: "To the clients it is like four threads: four are served, the others wait in the accept queue, and the oldest goes to whoever is free first.\n" +
					"The kernel lets the processes that wait in accept sleep in a line and wakes one for each client: with blocking accepts there is no thundering herd.",
				Page: "listeners",
				Claims: []demo.Claim{{
					Text:  "four processes accepted, with one thread each",
					Needs: []string{factAccept},
					Check: acceptedBy(Team, Team),
				}, {
					Text:  "never were more clients accepted at the same time than there are processes",
					Needs: []string{factAccept},
					Check: heldAtOnce(Team),
				}},
			},
			stepThreads: {
				Title: "walls between them",
				Text: "What the processes do not share makes the difference to threads. No memory, so no locks, and a crash ends one of them only.\n" +
					"But also no common cache and no common pool of connections to a database, and each has its own heap. In languages with a global lock it is the way to use more than one CPU.",
				Page: "workers",
				Claims: []demo.Claim{{
					Text:  "all four answered",
					Needs: []string{factTurn},
					Check: answeredBy(Team, Team),
				}, sleptInRead},
			},
		},
	}
}

// checkInherited proves that the only listening socket is that of the process that started, which accepted nobody.
func checkInherited(s demo.Seen) demo.Verdict {
	var sockets int
	for i := range s.Listeners {
		if s.Listeners[i].Local == s.Server.Addr {
			sockets++
		}
	}
	own, others := int(s.Since(stepPair, acceptsBy(true)).V), int(s.Since(stepPair, acceptsBy(false)).V)
	e := demo.Evidence{}.With("listening_sockets", int64(sockets)).With("accepted_by_its_process", int64(own)).With("by_others", int64(others))
	switch {
	case sockets == 0 || own+others == 0:
		return pending(s, e, "nobody was accepted")
	case sockets > 1:
		return demo.Equal(e, "listening sockets", sockets, 1)
	case others < 2:
		return pending(s, e, "no two clients were accepted")
	}
	return demo.Equal(e, "accepted by its process", own, 0)
}

// acceptsBy counts the server's accepts: those of the process that the runner started, or those of all others.
func acceptsBy(itself bool) func(demo.Seen) model.Opt[uint64] {
	return func(s demo.Seen) model.Opt[uint64] {
		var n uint64
		for i := range s.Listeners {
			for _, a := range s.Listeners[i].Acceptors {
				if s.Listeners[i].Local == s.Server.Addr && (a.PID == s.Server.PID) == itself {
					n += a.Accepts
				}
			}
		}
		return model.Some(n)
	}
}
