"""What a user has set, and the one step back."""

from animators.app.edits import Edits


def test_an_edit_lasts_until_the_slider_is_let_go():
    edits = Edits().move("yaw", 0.1).move("yaw", 0.2).move("yaw", 0.3).let_go()
    assert edits.amounts == {"yaw": 0.3}
    assert edits.undo().amounts == {}
    again = edits.move("yaw", 0.4).move("yaw", 0.5)
    assert again.undo().amounts == {"yaw": 0.3}


def test_another_direction_is_another_edit_even_where_the_first_was_not_let_go():
    edits = Edits().move("yaw", 0.3).move("mouth", -0.2)
    assert edits.undo().amounts == {"yaw": 0.3}


def test_what_a_slider_tells_twice_is_told_once():
    """A late message of a slider that was let go takes the step back from nobody."""
    edits = Edits().move("yaw", 0.3).let_go().move("mouth", 0.1).let_go()
    assert edits.move("mouth", 0.1) is edits
    assert edits.move("mouth", 0.1).undo().amounts == {"yaw": 0.3}


def test_one_step_back_and_no_more():
    edits = Edits().move("yaw", 0.3).let_go().move("mouth", 0.1).let_go()
    once = edits.undo()
    assert once.undo() is once
    assert Edits().undo().before is None


def test_reset_is_an_edit_of_all_that_can_be_undone():
    edits = Edits().move("yaw", 0.3).let_go().move("mouth", 0.1).let_go()
    assert edits.clear().amounts == {}
    assert edits.clear().undo().amounts == {"yaw": 0.3, "mouth": 0.1}
    assert Edits().clear().before is None


def test_an_amount_of_0_is_left_out():
    assert Edits().move("yaw", 0.3).move("yaw", 0.0).amounts == {}
