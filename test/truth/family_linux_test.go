// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"

	"beltrace/internal/testkit"
)

// offspring returns a command that plays a role as a child of the calling agent.
func offspring(role string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), testkit.RoleEnv+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

type bequestArgs struct {
	Socket socket
	Write  int
}

// opBequest leaves a socket to a new child process, which writes to it and closes it last.
func opBequest(a bequestArgs) (s socket, err error) {
	s = a.Socket
	file := os.NewFile(uintptr(s.FD), "socket")
	heir := offspring("heir")
	heir.ExtraFiles = []*os.File{file}
	stdin, err := heir.StdinPipe()
	if err != nil {
		return s, err
	}
	if err := heir.Start(); err != nil {
		return s, err
	}
	file.Close() // the socket lives on in the heir
	s.CloseCalled = testkit.Mono()
	if _, err := fmt.Fprintln(stdin, a.Write); err != nil {
		return s, err
	}
	err = heir.Wait()
	s.CloseReturned = testkit.Mono()
	s.Out += uint64(a.Write)
	return s, err
}

// runHeir is the role of a process that was born with a socket as descriptor 3.
func runHeir(talk *testkit.Talk) error {
	var n int
	if err := talk.Hear(&n); err != nil {
		return err
	}
	s := socket{FD: 3}
	if err := s.write(n); err != nil {
		return err
	}
	return s.end(endClose)
}

// opChild makes connections like opDial, but in a new child process.
func opChild(a dialArgs) (made []socket, err error) {
	child := offspring("dialer")
	stdin, err := child.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := child.Start(); err != nil {
		return nil, err
	}
	if err := json.NewEncoder(stdin).Encode(a); err != nil {
		return nil, err
	}
	if err := json.NewDecoder(stdout).Decode(&made); err != nil {
		return nil, err
	}
	return made, child.Wait()
}

// runDialer is the role of a process that makes connections and ends.
func runDialer(talk *testkit.Talk) error {
	var a dialArgs
	if err := talk.Hear(&a); err != nil {
		return err
	}
	made, err := opDial(a)
	if err != nil {
		return err
	}
	return talk.Say(made)
}
