// SPDX-License-Identifier: Apache-2.0

package requestresponse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"beltrace/demos/demo"
)

// order is what the server answers with.
type order struct {
	ID    int    `json:"id"`
	Item  string `json:"item"`
	Proof string `json:"proof"`
}

// serve is an ordinary net/http backend with one route.
func serve(ctx context.Context, env *demo.Env) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", answer)
	return demo.ServeHTTP(ctx, env, mux, nil)
}

// answer does a little real work: it makes up an order and signs it.
func answer(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		http.Error(w, "an order's id is a number", http.StatusBadRequest)
		return
	}
	demo.Mark("handle", demo.Begin, uint64(id))
	defer demo.Mark("handle", demo.End, uint64(id))
	body, err := json.Marshal(order{ID: id, Item: fmt.Sprintf("belt %d", id%7), Proof: sign(id)})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(body) // an error means that the client is gone: nobody is left to tell
}

// sign hashes a few kilobytes: some ten microseconds of work for the CPU.
func sign(id int) string {
	block := make([]byte, 4096)
	block[0] = byte(id)
	sum := sha256.Sum256(block)
	return hex.EncodeToString(sum[:8])
}
