// How a PLC would read the gateway, with modbus-serial. The addresses are written down here a second time on purpose,
// as in an integrator's project: if one of them moves in the gateway, the tests that use this fail.
import ModbusRTU from 'modbus-serial'

const u32 = (words, at) => words[at] * 65536 + words[at + 1]
const FIFO = 100
const RECORDS = 8
const RECORD_WORDS = 14

export async function connect (host, port, unit = 1) {
  const client = new ModbusRTU()
  await client.connectTCP(host, { port: Number(port) })
  client.setID(unit)
  client.setTimeout(3000)
  return client
}

export async function readHeader (client) {
  const { data } = await client.readInputRegisters(0, 22)
  return {
    magic: data[0],
    mapVersion: data[1],
    heartbeat: data[2],
    status: data[3],
    unixTime: u32(data, 4),
    newestEvent: u32(data, 8),
    alarmsActive: data[10],
    alarmsUnacknowledged: data[13],
    incidentsOpen: data[16],
    nodesLost: data[19]
  }
}

export async function readFifo (client) {
  const { data } = await client.readInputRegisters(FIFO, 4 + RECORDS * RECORD_WORDS)
  const records = []
  for (let i = 0; i < data[0]; i++) {
    const at = 4 + i * RECORD_WORDS
    records.push({
      event: u32(data, at),
      alarm: data[at + 2],
      slot: data[at + 3],
      kind: data[at + 4],
      transition: data[at + 5],
      state: data[at + 6],
      severity: data[at + 7],
      sourceMs: u32(data, at + 8) * 1000 + data[at + 12],
      incident: u32(data, at + 10),
      flags: data[at + 13]
    })
  }
  return { more: data[1], taken: u32(data, 2), records }
}

export async function take (client, event) {
  await client.writeRegisters(0, [event >>> 16, event & 0xffff])
}

export async function acknowledge (client, event) {
  await client.writeRegisters(2, [event >>> 16, event & 0xffff, 1])
  return await readResult(client)
}

export async function readResult (client) {
  const { data } = await client.readHoldingRegisters(0, 12)
  return { taken: u32(data, 0), result: data[5], count: data[6], event: u32(data, 8), caused: u32(data, 10) }
}
