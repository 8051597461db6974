from conftest import make_cells, make_zip
from hypothesis import given, strategies as st
@given(st.integers())
def test_x(i): pass
def test_y(cells_zip, cells_folder, real_zip): pass
