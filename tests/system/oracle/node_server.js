// A Node.js server that tells how it read each request: in the answer's X-Told and X-Peer, and whole
// as a line of JSON on standard output. Bytes are latin1 in it. Prints its port first.
'use strict';

const http = require('http');

const HEAD_BYTES_MAX = 1 << 18;

let connections = 0;

function say(what) {
  process.stdout.write(JSON.stringify(what) + '\n');
}

function answer(request, response) {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    say({
      connection: request.socket.number,
      method: request.method,
      target: request.url,
      fields: request.rawHeaders,
      body: Buffer.concat(pieces).toString('latin1'),
      trailers: request.rawTrailers,
    });
    const told = `${request.method} ${request.url} HTTP/${request.httpVersion}`;
    response.setHeader('X-Told', Buffer.from(told, 'latin1').toString('latin1'));
    response.setHeader('X-Peer', request.socket.remotePort);
    response.end();
  });
}

const server = http.createServer({ maxHeaderSize: HEAD_BYTES_MAX, insecureHTTPParser: false });
server.maxHeadersCount = 0;
server.keepAliveTimeout = 3600 * 1000;
server.on('connection', (socket) => {
  socket.number = connections++;
  socket.on('error', () => {});
});
server.on('request', answer);
// Any other expectation than 100-continue is for the application to look at.
server.on('checkExpectation', answer);
server.on('clientError', (error, socket) => {
  say({ connection: socket.number, error: error.code || error.message });
  if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  else socket.destroy();
});
server.listen(Number(process.argv[2]), '127.0.0.1', () => say({ port: server.address().port }));
