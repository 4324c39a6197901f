// Modules-load asks for one file over kept connections, each again as soon as it was answered, for a while, and prints how
// many answers came whole, how many bytes came, and how many requests failed.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	address, path := os.Args[1], os.Args[2]
	connections, _ := strconv.Atoi(os.Args[3])
	ms, _ := strconv.Atoi(os.Args[4])
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\n\r\n")
	end := time.Now().Add(time.Duration(ms) * time.Millisecond)
	var answered, bytes, failed atomic.Int64
	var all sync.WaitGroup
	for range make([]struct{}, connections) {
		all.Add(1)
		go func() {
			defer all.Done()
			connection, err := net.Dial("tcp", address)
			if err != nil {
				failed.Add(1)
				return
			}
			defer connection.Close()
			reader := bufio.NewReaderSize(connection, 64<<10)
			buffer := make([]byte, 64<<10)
			for time.Now().Before(end) {
				connection.Write(request)
				answer, err := http.ReadResponse(reader, nil)
				if err != nil || answer.StatusCode != 200 {
					failed.Add(1)
					return
				}
				for time.Now().Before(end) {
					count, err := answer.Body.Read(buffer)
					bytes.Add(int64(count))
					if err == io.EOF {
						answered.Add(1)
						break
					}
					if err != nil {
						failed.Add(1)
						return
					}
				}
			}
		}()
	}
	all.Wait()
	fmt.Println(answered.Load(), bytes.Load(), failed.Load())
}
