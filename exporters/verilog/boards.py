"""Boards: which FPGA is on them, and which of its pins the design needs."""

from dataclasses import dataclass

from snnc.errors import ConfigError, nearest

BAUD = 1_000_000  # bits a second of the serial port


@dataclass(frozen=True)
class Board:
    """A board with a clock and a serial port over USB."""

    name: str
    device: str
    mhz: int
    clk: str
    rx: str  # from the host
    tx: str
    source: str  # of the pins
    flash: tuple[tuple[str, str], ...] = ()  # ports of `board_flash` and their pins, where a design can read the board's flash

    @property
    def divider(self) -> int:
        """Clocks of a bit of the serial port."""
        return self.mhz * 1_000_000 // BAUD

    def constraints(self, with_flash: bool = False) -> tuple[str, str]:
        """Return the name and the text of the file that gives the ports of `board.v` their pins, those of the flash if wanted."""
        pins = {"clk": self.clk, "rx": self.rx, "tx": self.tx, **(dict(self.flash) if with_flash else {})}
        if self.device.startswith("ice40"):
            lines = [f"set_io {port} {pin}\n" for port, pin in pins.items()]
            return "board.pcf", f"# {self.name}: {self.source}\n{''.join(lines)}set_frequency clk {self.mhz}\n"
        lines = [f'LOCATE COMP "{port}" SITE "{pin}";\nIOBUF PORT "{port}" IO_TYPE=LVCMOS33;\n' for port, pin in pins.items()]
        return "board.lpf", f'# {self.name}: {self.source}\n{"".join(lines)}FREQUENCY PORT "clk" {self.mhz} MHZ;\n'


ICEBREAKER = "YosysHQ icestorm, examples/icebreaker/icebreaker.pcf"
ULX3S = "emard/ulx3s, doc/constraints/ulx3s_v20.lpf"
FLASH = (("flash_sck", "15"), ("flash_cs_n", "16"), ("flash_mosi", "14"), ("flash_miso", "17"))
BOARDS = {
    board.name: board
    for board in (
        Board("icebreaker", "ice40up5k", 12, "35", "6", "9", ICEBREAKER, FLASH),
        Board("ulx3s_25f", "ecp5_25f", 25, "G2", "M1", "L4", ULX3S),
        Board("ulx3s_85f", "ecp5_85f", 25, "G2", "M1", "L4", ULX3S),
    )
}


def board(name: str) -> Board:
    """Return a board by its name. Raises ConfigError for an unknown one."""
    if name not in BOARDS:
        raise ConfigError(f"is {name!r}; {nearest(name, list(BOARDS))}", where="board")
    return BOARDS[name]
